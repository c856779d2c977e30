"""Names of what a served model takes and gives. No TensorFlow: the client and the server read this
too.

Every signature's first axis is the batch. Ids are strings; an empty string is "nothing here" and
may fill up a row; an unknown time is `NO_TIME`. Where fewer than k items remain, ids are empty
strings and scores are the smallest finite float32 (JSON has no infinity).
"""

import dataclasses

RECOMMEND = "recommend"
# `recommend` with a diversity for each answer; a signature of its own, since TF Serving knows no
# inputs that may be left out.
RECOMMEND_DIVERSIFIED = "recommend_diversified"
RETRIEVE = "retrieve"
SIMILAR_ITEMS = "similar_items"
# As the two above, with what is known of the events of the history; only a model that reads times
# or kinds of events has them.
RECOMMEND_EVENTS = "recommend_events"
RETRIEVE_EVENTS = "retrieve_events"
DEFAULT = "serving_default"  # the same as RECOMMEND

USER_ID = "user_id"
HISTORY_ITEM_IDS = "history_item_ids"
EXCLUDE_ITEM_IDS = "exclude_item_ids"
HISTORY_TIMES = "history_times"  # seconds
HISTORY_KINDS = "history_kinds"
DIVERSITY = "diversity"  # from 0, the best scores, to 1; another number is refused
ITEM_ID = "item_id"
ITEM_IDS = "item_ids"
SCORES = "scores"

EMPTY_ID = ""
NO_TIME = -(2**63)  # the smallest int64
EMPTY_SCORE = -3.4028234663852886e38  # numpy.finfo(float32).min


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Name, dtype (such as "string") and shape of one served tensor; None is any size."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


QUERY_INPUTS = (
    TensorSpec(USER_ID, "string", (None,)),
    TensorSpec(HISTORY_ITEM_IDS, "string", (None, None)),
    TensorSpec(EXCLUDE_ITEM_IDS, "string", (None, None)),
)
EVENT_INPUTS = (
    *QUERY_INPUTS,
    TensorSpec(HISTORY_TIMES, "int64", (None, None)),
    TensorSpec(HISTORY_KINDS, "string", (None, None)),
)
EVENT_SIGNATURES = {RECOMMEND: RECOMMEND_EVENTS, RETRIEVE: RETRIEVE_EVENTS}
INPUTS = {
    RECOMMEND: QUERY_INPUTS,
    RECOMMEND_DIVERSIFIED: (*QUERY_INPUTS, TensorSpec(DIVERSITY, "float32", (None,))),
    RETRIEVE: QUERY_INPUTS,
    SIMILAR_ITEMS: (TensorSpec(ITEM_ID, "string", (None,)),),
}
OUTPUTS = (
    TensorSpec(ITEM_IDS, "string", (None, None)),
    TensorSpec(SCORES, "float32", (None, None)),
)

# The signature of an exported encoder: `inputs` -> `embedding`, [batch, dim] float32. A medium of
# an item is a list of one or more canonical arrays (audio patches, video frames); the item's
# embedding is the mean over them.
ENCODER_INPUT = "inputs"
ENCODER_OUTPUT = "embedding"
