"""What is worth knowing of the embeddings that a job wrote: `items/quality.json`.

For each modality: how many items have it, how long the embeddings are, which lie far off, which are
all but the same, and what was rejected for which reasons. An item is an outlier where the norm of
its embedding, or its distance to the mean embedding, is more standard deviations from the mean of
all than a limit; where nearly all are equal, there is no such measure and no outlier. Everything is
computed from the item records, in the order of rows, so that no runner makes a difference.
"""

import collections
import json
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.item_embeddings import StoredEmbeddings, stored_embeddings
from pipelines.near_duplicates import NearDuplicates, find_near_duplicates
from tfrs_mm.config import EncodersConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import Schema

QUALITY = "quality.json"

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SHOWN = 10  # outliers of a measure, groups of near duplicates, reasons
_EXAMPLES = 5  # items of a group or of a reason
# A deviation below this share of the mean is what rounding leaves of embeddings of one length.
_LEAST_DEVIATION = 1e-4
_DIGITS = 6


def quality_of(
    output_dir: pathlib.Path,
    items_dir: pathlib.Path,
    rejects_path: pathlib.Path,
    vocabulary_path: pathlib.Path,
    schema: Schema,
    settings: EncodersConfig,
) -> dict[str, Any]:
    """The quality report of a finished job.

    Args:
        output_dir: takes arrays while they are needed.
        items_dir: the item records.
        rejects_path: the job's rejects.
        vocabulary_path: of the items.
        schema: of the records.
        settings: the limits for outliers and near duplicates.
    """
    item_ids = Vocabulary.read(vocabulary_path)
    rejects = _rejects(rejects_path)
    with tempfile.TemporaryDirectory(prefix=".quality-", dir=output_dir) as scratch:
        stored = stored_embeddings(items_dir, schema, pathlib.Path(scratch))
        found = {
            modality.value: _of_modality(embeddings, item_ids, settings)
            | {"rejects": rejects.get(modality.value, [])}
            for modality, embeddings in stored.items()
        }
    return {
        "items": schema.num_items,
        "outlier_z": settings.outlier_z,
        "near_duplicate_cosine": settings.near_duplicate_cosine,
        "modalities": found,
    }


def summary(quality: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The lines of `items/report.json`: for each modality how many items want a look."""
    return {
        name: {
            "zeros": found["zeros"],
            "outliers": found["outliers"]["items"],
            "near duplicates": found["near duplicates"]["items"],
        }
        for name, found in quality["modalities"].items()
    }


def _of_modality(
    embeddings: StoredEmbeddings, item_ids: Vocabulary, settings: EncodersConfig
) -> dict[str, Any]:
    norms, distances = _norms_and_distances(embeddings)
    duplicates = find_near_duplicates(
        embeddings, settings.near_duplicate_cosine, settings.exact_near_duplicates
    )
    num_items = item_ids.size - 1
    return {
        "present": len(embeddings),
        "share": round(len(embeddings) / num_items, _DIGITS) if num_items else 0.0,
        "zeros": int((norms == 0).sum()),
        "norms": _spread_of(norms),
        "outliers": _outliers(
            {"norm": norms, "distance to the mean": distances},
            item_ids.ids_of(embeddings.rows),
            settings.outlier_z,
        ),
        "near duplicates": _groups(duplicates, item_ids.ids_of(embeddings.rows)),
    }


def _norms_and_distances(embeddings: StoredEmbeddings) -> tuple[np.ndarray, np.ndarray]:
    """`[n]` float64 each: the length of every embedding, and of its difference to their mean."""
    norms, total = [], np.zeros(embeddings.by_row.shape[1])
    for block in embeddings.blocks():
        norms.append(np.linalg.norm(block.astype(np.float64), axis=1))
        total += block.sum(axis=0, dtype=np.float64)
    mean = total / max(len(embeddings), 1)
    distances = [np.linalg.norm(block - mean, axis=1) for block in embeddings.blocks()]
    none = np.zeros(0)
    return np.concatenate([none, *norms]), np.concatenate([none, *distances])


def _spread_of(norms: np.ndarray) -> dict[str, float]:
    """Least, greatest and quantiles; empty where there is none."""
    if not len(norms):
        return {}
    points = {"min": 0.0, **{f"p{100 * q:02.0f}": q for q in _QUANTILES}, "max": 1.0}
    values = np.quantile(norms, list(points.values()))
    return {name: round(float(v), _DIGITS) for name, v in zip(points, values, strict=True)}


def _outliers(
    measures: Mapping[str, np.ndarray], item_ids: np.ndarray, limit: float
) -> dict[str, Any]:
    """How many items lie beyond the limit, by each measure, and the worst of them."""
    beyond = np.zeros(len(item_ids), bool)
    counts, worst = {}, []
    for measure, values in measures.items():
        scores = _standard_scores(values)
        out = np.abs(scores) > limit
        beyond |= out
        counts[measure] = int(out.sum())
        order = np.argsort(-np.abs(scores), kind="stable")[:_SHOWN]
        worst += [
            {
                "item_id": item_ids[place], "measure": measure,
                "value": round(float(values[place]), _DIGITS), "z": round(float(scores[place]), 2),
            }
            for place in order
            if out[place]
        ]  # fmt: skip
    return {"items": int(beyond.sum()), "by measure": counts, "worst": worst}


def _standard_scores(values: np.ndarray) -> np.ndarray:
    """Standard deviations from the mean; zeros where the values are as good as equal."""
    if not len(values):
        return values
    mean, deviation = values.mean(), values.std()
    if deviation <= _LEAST_DEVIATION * abs(mean):
        return np.zeros(len(values))
    return (values - mean) / deviation


def _groups(duplicates: NearDuplicates, item_ids: np.ndarray) -> dict[str, Any]:
    """How many items are in groups, and the largest groups with their first items."""
    leaders, sizes = np.unique(duplicates.leaders, return_counts=True)
    several = sizes > 1
    order = np.argsort(-sizes, kind="stable")[:_SHOWN]
    return {
        "items": int(sizes[several].sum()),
        "groups": int(several.sum()),
        "method": "all pairs" if duplicates.exact else "random hyperplanes",
        "recall on a sample": duplicates.recall,
        "largest": [
            {
                "items": int(sizes[place]),
                "item_ids": item_ids[duplicates.leaders == leaders[place]][:_EXAMPLES].tolist(),
            }
            for place in order
            if several[place]
        ],
    }


def _rejects(path: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """For each modality the most frequent reasons, how often each came, and some of its items."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    examples: dict[tuple[str, str], list[dict[str, str]]] = collections.defaultdict(list)
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            reject = json.loads(line)
            modality, reason = reject["modality"], reject["reason"]
            counts[modality][reason] += 1
            if len(examples[modality, reason]) < _EXAMPLES:
                examples[modality, reason].append(
                    {"item_id": reject["item_id"], "where": reject["where"]}
                )
    return {
        modality: [
            {"reason": reason, "count": count, "examples": examples[modality, reason]}
            for reason, count in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))
        ][:_SHOWN]
        for modality, counter in counts.items()
    }
