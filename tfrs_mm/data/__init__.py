"""Records, vocabularies, catalogue and batches: what the jobs write and the models read.

Importing this package does not import TensorFlow; what needs it imports it when called.
"""

from tfrs_mm.data.examples import ExamplesSpec, Ragged
from tfrs_mm.data.vocabulary import Vocabulary

__all__ = ["ExamplesSpec", "Ragged", "Vocabulary"]
