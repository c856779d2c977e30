"""How the modalities of an item become one vector; `FUSIONS` holds the variants by name."""

from tfrs_mm.fusion.early import ConcatFusion, GatedFusion
from tfrs_mm.fusion.modalities import ModalityBatch, ModalityDropout

FUSIONS = {"concat": ConcatFusion, "gated": GatedFusion}

__all__ = ["FUSIONS", "ConcatFusion", "GatedFusion", "ModalityBatch", "ModalityDropout"]
