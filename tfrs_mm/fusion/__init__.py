"""How the modalities of an item become one vector; `FUSIONS` holds the variants by name."""

from tfrs_mm.fusion.attention import AttentionFusion, CrossAttentionFusion
from tfrs_mm.fusion.base import Fusion
from tfrs_mm.fusion.early import BehaviourGatedFusion, ConcatFusion, GatedFusion
from tfrs_mm.fusion.late import LateFusion, VoteFusion
from tfrs_mm.fusion.modalities import ModalityBatch, ModalityDropout

FUSIONS = {
    "concat": ConcatFusion,
    "gated": GatedFusion,
    "behaviour": BehaviourGatedFusion,
    "attention": AttentionFusion,
    "late": LateFusion,
    "vote": VoteFusion,
}

__all__ = [
    "FUSIONS", "AttentionFusion", "BehaviourGatedFusion", "ConcatFusion", "CrossAttentionFusion",
    "Fusion", "GatedFusion", "LateFusion", "ModalityBatch", "ModalityDropout", "VoteFusion",
]  # fmt: skip
