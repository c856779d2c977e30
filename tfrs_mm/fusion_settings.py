"""The sections `fusion` and `alignment`: what the item tower makes of modalities, and how they are
trained to say the same."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """How an item's modalities become one vector.

    `concat` is one dense layer over all of them, `gated` their mean with weights read from content,
    `behaviour` the id's vector filtered by content, `attention` lets modalities look at each other,
    `late` and `vote` add up one score of each modality, with learned and with equal weights.
    """

    kind: Literal["concat", "gated", "behaviour", "attention", "late", "vote"] = "gated"
    heads: int = 2  # of `attention`
    reduced_dim: int = 128  # of each modality's stored embedding, by PCA
    # Of each modality's vector, which has length 1 on average; with a larger one content learns
    # faster than ids, which suits catalogues where few interactions meet much content. `late` and
    # `vote` bring all to length 1.
    content_scale: float = 1.0
    # What stands in for a modality that an item lacks: nothing, so that the others count alone; a
    # learned vector, which `concat` has with "none" as well; or what a ridge regression over the
    # catalogue predicts of it from the item's other modalities.
    missing: Literal["none", "learned", "imputed"] = "none"
    imputation_ridge: float = 0.1  # share of a modality's mean variance that is added to each
    modality_dropout: float = 0.1
    id_dropout: float = (
        0.1  # share of items whose id is hidden in training, so that content carries cold ones
    )
    # Learned rows that items without training events share by a hash of their id; hidden ids are
    # shown as any of them. 0 is one row for all.
    oov_rows: int = 0


@dataclasses.dataclass(frozen=True)
class AlignmentConfig:
    """What retrieval's training adds to its loss so that an item's modalities agree.

    `infonce` asks each embedding for its partner among the batch's items, `sigmoid` judges every
    two on their own, `cosine` draws partners together without negatives.
    """

    kind: Literal["none", "infonce", "sigmoid", "cosine"] = "none"
    weight: float = 0.1
    temperature: float = 0.1  # of `infonce` and `sigmoid`
    modalities: bool = True  # whether every two modalities are aligned
    behaviour: bool = True  # whether each modality is aligned with the item's id
    # Weight of the penalty where modalities on their own disagree how well a target fits its query;
    # it needs no `kind`. 0 is off.
    agreement: float = 0.0
