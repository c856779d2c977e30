"""What an event of each kind weighs: `vocabulary/event_weights.json`, beside the vocabulary of
kinds.

Kinds with negative weights are in the file as well, though not in the vocabulary: their events are
negative feedback.
"""

import json
import pathlib
from collections.abc import Mapping

import numpy as np

from tfrs_mm.artefacts import write_json
from tfrs_mm.data.vocabulary import Vocabulary

WEIGHTS_FILE = "event_weights.json"


def write_event_weights(vocabulary_dir: pathlib.Path, weights: Mapping[str, float]) -> None:
    """Writes the weight of each kind."""
    write_json(vocabulary_dir / WEIGHTS_FILE, dict(weights))


def read_event_weights(vocabulary_dir: pathlib.Path) -> dict[str, float]:
    """The weight of each kind; empty where none were configured, and every kind weighs 1."""
    path = vocabulary_dir / WEIGHTS_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def weights_by_row(weights: Mapping[str, float], events: Vocabulary) -> np.ndarray:
    """`[events.size]` float32: the weight of each row of the vocabulary of kinds, 1 where none is
    configured, and 0 in row 0."""
    return np.array([0.0, *(weights.get(kind, 1.0) for kind in events.ids)], np.float32)
