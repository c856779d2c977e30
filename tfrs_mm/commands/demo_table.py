"""What the demo shows people: whom it asked for, what came back, and how good that is."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

_LAST_ITEMS = 5
_SHOWN_ITEMS = 5
_SCORE_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Shown:
    """One user's history and recommendations, as (item id, title) pairs."""

    user_id: str
    last: list[tuple[str, str]]
    recommended: list[tuple[str, str, float]]


def pick_users(loaded: Any, count: int) -> list[str]:
    """The first users with the longest histories."""
    from tfrs_mm.data.input_pipeline import read_queries

    knowledge = loaded.knowledge
    queries = read_queries(knowledge.data_dir, knowledge.schema, "users")
    order = np.argsort(-queries.history_length, kind="stable")[:count]
    return [str(user_id) for user_id in knowledge.users.ids_of(queries.user[order])]


def show(loaded: Any, user_id: str, answer: Sequence[Any]) -> Shown:
    """A user's last items and the answer, with titles."""
    from tfrs_mm.data.input_pipeline import read_queries

    knowledge = loaded.knowledge
    catalogue = knowledge.catalogue
    queries = read_queries(knowledge.data_dir, knowledge.schema, "users")
    place = int(np.flatnonzero(queries.user == knowledge.users.rows_of([user_id])[0])[0])
    rows = queries.history_items[place][: queries.history_length[place]][-_LAST_ITEMS:]
    row_of = {item_id: row for row, item_id in enumerate(catalogue.item_ids)}
    return Shown(
        user_id,
        [(str(catalogue.item_ids[row]), str(catalogue.titles[row])) for row in rows],
        [
            (item.item_id, str(catalogue.titles[row_of[item.item_id]]), item.score)
            for item in answer
        ],
    )


def demand_equal(user: str, first: Sequence[Any], second: Sequence[Any], name: str) -> None:
    """Passes if two answers hold the same items in the same order.

    Raises:
        RuntimeError: they differ; this is a defect of the server, not of the input.
    """
    same = [item.item_id for item in first] == [item.item_id for item in second]
    if not same or any(
        abs(a.score - b.score) > _SCORE_TOLERANCE * max(1.0, abs(a.score))
        for a, b in zip(first, second, strict=True)
    ):
        raise RuntimeError(
            f"user {user!r}: the answer over REST and the one {name} differ: {first} {second}"
        )


def recommendations(shown: Sequence[Shown]) -> str:
    """For each user the last items and the first recommended ones, side by side."""
    lines = []
    for entry in shown:
        lines += ["", f"user {entry.user_id}", f"  {'last items':<48}  recommended"]
        for place in range(max(len(entry.last), min(len(entry.recommended), _SHOWN_ITEMS))):
            left = _label(*entry.last[place]) if place < len(entry.last) else ""
            right = _label(*entry.recommended[place][:2]) if place < len(entry.recommended) else ""
            lines.append(f"  {left:<48}  {right}")
    return "\n".join(lines)


def figures(metrics: dict[str, Any]) -> str:
    """Held-out figures of every stage, for all items and for those without an event in training."""
    lines = [
        "",
        f"{'held-out interactions':<24}{'Recall@10':>10}{'NDCG@10':>10}{'cold Recall@20':>16}",
    ]
    for stage, result in metrics.items():
        cold = result["slices"].get("cold_items")
        label = "retrieval + ranking" if stage == "ranking" else stage
        cold_text = f"{cold['metrics']['recall@20']['value']:.4f}" if cold else "-"
        lines.append(
            f"{label:<24}{result['metrics']['recall@10']['value']:>10.4f}"
            f"{result['metrics']['ndcg@10']['value']:>10.4f}{cold_text:>16}"
        )
    return "\n".join(lines)


def seconds(steps: dict[str, dict[str, Any]]) -> str:
    """Seconds of every step."""
    parts = [
        f"{name} {'reused' if step['reused'] else str(step['seconds']) + ' s'}"
        for name, step in steps.items()
    ]
    total = sum(step["seconds"] for step in steps.values())
    return "\n" + ", ".join(parts) + f"; together {total:.0f} s"


def _label(item_id: str, title: str) -> str:
    text = f"{item_id} {title}".strip()
    return text if len(text) <= 46 else text[:45] + "…"
