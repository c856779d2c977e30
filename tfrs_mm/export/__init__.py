"""From a trained run to one SavedModel."""

from tfrs_mm.export.recommender import Recommender
from tfrs_mm.export.saved_model import next_version, write_saved_model

__all__ = ["Recommender", "next_version", "write_saved_model"]
