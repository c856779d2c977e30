"""From a canonical input to one embedding: pretrained encoders, and small ones to be trained."""

from tfrs_mm.encoders.audio import MusicnnAudioEncoder
from tfrs_mm.encoders.base import Encoder, export_encoder
from tfrs_mm.encoders.image import EfficientNetImageEncoder
from tfrs_mm.encoders.keras_cv_image import KerasCvImageEncoder
from tfrs_mm.encoders.projected import export_projected
from tfrs_mm.encoders.small import make_small_encoder
from tfrs_mm.encoders.text import MiniLmTextEncoder
from tfrs_mm.encoders.trainable import TrainableEncoder

__all__ = [
    "EfficientNetImageEncoder", "Encoder", "KerasCvImageEncoder", "MiniLmTextEncoder",
    "MusicnnAudioEncoder", "TrainableEncoder", "export_encoder", "export_projected",
    "make_small_encoder",
]  # fmt: skip
