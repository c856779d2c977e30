"""The small encoder of each modality, for catalogues without pretrained weights."""

from tfrs_mm.encoders.small_audio import SmallAudioEncoder
from tfrs_mm.encoders.small_image import SmallImageEncoder
from tfrs_mm.encoders.small_text import SmallTextEncoder
from tfrs_mm.encoders.trainable import TrainableEncoder
from tfrs_mm.schema import Modality


def make_small_encoder(modality: Modality, dim: int, size_px: int, seed: int) -> TrainableEncoder:
    """An untrained encoder of one modality; the same seed gives the same weights.

    Args:
        modality: of its inputs; films are embedded by their frames.
        dim: of the embedding.
        size_px: side of a picture or a frame.
        seed: of the weights and the views.
    """
    if modality is Modality.TEXT:
        return SmallTextEncoder(dim, seed)
    if modality is Modality.AUDIO:
        return SmallAudioEncoder(dim, seed)
    return SmallImageEncoder(dim, size_px, seed)
