"""The sections of the configuration: every setting there is, with its default and what it means."""

import dataclasses
from typing import Literal

from tfrs_mm.data_settings import AnomalyRule, DataConfig
from tfrs_mm.fusion_settings import AlignmentConfig, FusionConfig
from tfrs_mm.ranking_settings import RankingConfig

__all__ = [
    "AlignmentConfig", "AnomalyRule", "DataConfig", "EncoderConfig", "EncodersConfig",
    "ExportConfig", "FusionConfig", "IndexConfig", "LinearConfig", "RankingConfig",
    "RetrievalConfig", "SourcesConfig", "TrainingConfig",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The encoder of one modality.

    `auto` takes the pretrained one where its weights are installed and else trains a small one on
    the catalogue's own media, and says which; `saved_model` takes an exported encoder of yours,
    `keras_cv` a KerasCV backbone for pictures or frames, `given` takes embeddings of yours as they
    are; `none` leaves the modality out.
    """

    kind: Literal[
        "auto", "pretrained", "small", "saved_model", "keras_cv", "given", "none"
    ] = "auto"  # fmt: skip
    # saved_model: the encoder's folder. given: a file below the input folder, .parquet (columns
    # item_id and embedding), .npz (arrays item_ids and embeddings), or .npy with the ids, one a
    # line, beside it in a file of the same name that ends in .ids.txt. keras_cv: weights (.h5), or
    # the folder of a preset.
    file: str = ""
    column: str = ""  # given: instead of a file, a column of the catalogue with JSON lists
    backbone: str = ""  # keras_cv: a class of keras_cv.models; a preset names its own
    # keras_cv: the class's arguments, each "name=value", such as "stackwise_filters=[64, 128]".
    backbone_arguments: tuple[str, ...] = ()
    # keras_cv: what the backbone is given of a pixel from 0 to 255. Networks that rescale by
    # themselves (include_rescaling=true) take it as it is; "imagenet" takes away ImageNet's mean
    # colour and divides by its deviation.
    pixels: Literal["0 to 255", "0 to 1", "-1 to 1", "imagenet"] = "0 to 255"
    random_seed: int = -1  # keras_cv: 0 or more draws random weights, in place of a file
    size_px: int = 224  # side of an image or a frame, pretrained encoder and keras_cv
    frames: int = 8  # of a video
    max_seconds: float = 30.0  # of a sound
    max_bytes: int = 64 * 2**20  # of a file; larger ones are rejected
    max_pixels: int = 50_000_000  # of a picture; larger ones are rejected
    small_dim: int = 64  # embedding of the small encoder
    small_size_px: int = 64  # side of an image or a frame, small encoder
    small_epochs: int = 12
    # Inputs of one call. On a CPU few pictures at once are faster than many, which do not fit into
    # the cache; a GPU wants more.
    batch_size: int = 32
    # Principal components that are written in place of an embedding, fitted on the job's items; 0
    # writes it as it is. Whitened, each has the variance one, but for `pca_epsilon`, a share of the
    # largest variance that is added to each before it is divided by. The towers' own reduction,
    # `fusion.reduced_dim`, cannot tell whitened components apart: let it be no smaller.
    pca_dim: int = 0
    pca_whiten: bool = True
    pca_epsilon: float = 1e-6


@dataclasses.dataclass(frozen=True)
class EncodersConfig:
    """One encoder for each modality, where embeddings are kept, and what is told of them."""

    image: EncoderConfig = EncoderConfig(batch_size=8)
    text: EncoderConfig = EncoderConfig()
    audio: EncoderConfig = EncoderConfig(batch_size=8)
    video: EncoderConfig = EncoderConfig(batch_size=8)
    # Pairs of modalities, each such as "image=text", whose canonical components are written in
    # place of their embeddings: one space for both, in which what they share lies close together.
    # What only one of them tells is lost. They are fitted on items that have both, behind the
    # principal components where there are any.
    cca: tuple[str, ...] = ()
    cca_dim: int = 64
    cca_ridge: float = 0.01  # share of a modality's mean variance that is added to each
    # Keeps embeddings by the content of what was embedded, for later runs; empty keeps none.
    cache_dir: str = ""
    # URLs of folders, such as "gs://shop/media", that a cell of the catalogue with a scheme may lie
    # below, besides the input folder; cells without one are names in the input folder.
    media_roots: tuple[str, ...] = ()
    # Of TensorFlow in each worker process, such as 1 where each core has a worker; 0 leaves it at
    # one for each core. The last bits of embeddings depend on it.
    threads: int = 0
    outlier_z: float = 4.0  # standard deviations from the mean at which an item is an outlier
    near_duplicate_cosine: float = 0.98  # of the embeddings of two items that are all but the same
    # Among so many different embeddings near duplicates are found exactly, among more by hashing.
    exact_near_duplicates: int = 20_000


@dataclasses.dataclass(frozen=True)
class RetrievalConfig:
    """The two towers and how they are trained against each other."""

    dim: int = 64
    # What reads a history: causal self-attention, gated recurrent units, or the mean of its items.
    user_tower: Literal["transformer", "gru", "mean"] = "transformer"
    layers: int = 2  # of the Transformer or of the recurrent network
    heads: int = 2  # of the Transformer
    recency_half_life: float = 0.0  # of the mean: items after which one counts half; 0 is never
    # Buckets of the time between the events of a history, each twice as long as the one before: 24
    # tell seconds from half a year. 0 reads no times.
    time_gaps: int = 0
    event_kinds: bool = False  # whether the kinds of the events of a history are read
    # Whether the user tower reads profiles and times of the moment of a query, as far as the
    # records hold them.
    profiles: bool = False
    # The share of histories whose times are hidden in training, of those whose kinds are, and of
    # those of which each part of a profile is, because a request may come without.
    hide_events: float = 0.1
    # Queries of a user; an item scores the largest of its inner products with them.
    interests: int = 1
    dropout: float = 0.2
    similarity: Literal["cosine", "dot"] = "cosine"  # of query and candidate
    temperature: float = 0.07
    # `softmax` lets a positive compete with its negatives; `gbce` judges each candidate on its own
    # and weighs positives by how often their items are drawn as negatives.
    loss: Literal["softmax", "gbce"] = "softmax"
    gbce_calibration: float = 0.75  # from 0, plain binary cross entropy, to 1, calibrated
    # What a positive competes with: a sample that all queries of a batch share, or all items with
    # events, which is exact and costs as much as the corpus is large.
    negatives: Literal["mixed", "all"] = "mixed"
    in_batch_negatives: int = 1024  # drawn from the batch's targets and shared by all its queries
    uniform_negatives: int = 512  # drawn from all items with events besides
    # Of the last batches' targets, whose vectors compete again once there are so many; 0 is none.
    negatives_queue: int = 0
    # Steps before they do: vectors that still change fast say nothing once they are old.
    negatives_queue_warmup: int = 1000
    # Of each target item its nearest others as of the last epoch, or of each user what the log says
    # they disliked; each positive meets one of so many, and 0 is none.
    hard_negatives: int = 0
    hard_negatives_from: Literal["index", "log"] = "index"
    # Where Q comes from: from the counts of all targets, or estimated while training goes on, in
    # arrays of so many places for each of so many hash functions, at so large a rate.
    frequencies: Literal["counted", "streaming"] = "counted"
    frequency_buckets: int = 65_536
    frequency_hashes: int = 2
    frequency_rate: float = 0.01
    log_q_correction: bool = True
    remove_accidental_hits: bool = True
    mask_history: bool = True  # items of the user's own window are no negatives
    batch_size: int = 64  # windows of `data.max_history` positions, over all replicas
    # Ascending; windows of like length share a batch, which is cut to the first of these that holds
    # them all. Where most histories are short it saves most of the work; none cuts nothing. Several
    # replicas share out such batches uncut.
    lengths: tuple[int, ...] = ()
    learning_rate: float = 0.002
    weight_decay: float = 0.0
    average_decay: float = (
        0.99  # of the weights' moving average, which is evaluated and exported; 0 is none
    )
    max_epochs: int = 60
    patience: int = 6  # epochs without a better validation NDCG@10


@dataclasses.dataclass(frozen=True)
class SourcesConfig:
    """Candidates besides those of the two towers, `ranking.candidates`; each item is taken once."""

    covisited: int = 0  # that were taken near the last items of the history by other users
    next: int = 0  # that were taken after them
    similar: int = 0  # that the linear model of this name leads to, see the section `linear`
    following: int = 0
    popular: int = 0  # taken most in recent buckets of time
    fresh: int = 0  # whose first event is the latest


@dataclasses.dataclass(frozen=True)
class LinearConfig:
    """Linear item-to-item models, which the ranker reads and candidates may come from.

    `similar` regresses every item on the others of its user, `following` on what came before it.
    """

    top: int = 100  # items that one item may speak for; 0 fits none
    ridge: float = 100.0  # events that are added to each item's own
    # Items with most events that take part; memory grows with their square, time with their cube.
    max_items: int = 10_000


@dataclasses.dataclass(frozen=True)
class IndexConfig:
    """How the corpus is searched."""

    kind: Literal["exact", "scann"] = "exact"
    leaves: int = 0  # 0 chooses: about sqrt(corpus) from 100,000 items on, else none
    leaves_to_search: int = 0  # 0 chooses a tenth of the leaves
    reordering: int = 0  # candidates re-scored exactly; 0 chooses four times the number asked for


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """What holds for both stages."""

    seed: int = 1
    strategy: Literal["default", "mirrored", "multi-worker", "tpu"] = "default"
    jit_compile: bool = False
    evaluation_batch: int = 256
    max_validation_queries: int = (
        20_000  # drawn by seed; the validation after each epoch asks no more
    )


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """The served model."""

    k: int = 20
