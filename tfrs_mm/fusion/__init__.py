"""How the modalities of an item become one vector; `FUSIONS` holds the variants by name.

`COMPLETIONS` holds what may stand in for a modality that an item lacks.
"""

from tfrs_mm.fusion.attention import AttentionFusion, CrossAttentionFusion
from tfrs_mm.fusion.base import Fusion
from tfrs_mm.fusion.early import BehaviourGatedFusion, ConcatFusion, GatedFusion
from tfrs_mm.fusion.late import LateFusion, VoteFusion
from tfrs_mm.fusion.missing import COMPLETIONS, ImputedMissing, LearnedMissing
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
    "COMPLETIONS", "FUSIONS", "AttentionFusion", "BehaviourGatedFusion", "ConcatFusion",
    "CrossAttentionFusion", "Fusion", "GatedFusion", "ImputedMissing", "LateFusion",
    "LearnedMissing", "ModalityBatch", "ModalityDropout", "VoteFusion",
]  # fmt: skip
