"""The part of the page that tells how good the embeddings are: what `items/quality.json` holds."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.page_html import escaped, number_of, share_of, table, value_of

_NUMBER, _WORDS = "number", "words"
_NORMS = ("min", "p05", "p50", "p95", "max")


def quality_part(quality: Mapping[str, Any] | None) -> str:
    """Of each modality: how many items have it, norms, near duplicates, outliers, rejects."""
    if quality is None:
        return "<p>The media job has not run in this folder.</p>"
    found = quality["modalities"]
    if not found:
        return "<p>No item has an embedding.</p>"
    said = (
        f"An outlier lies {number_of(quality['outlier_z'])} standard deviations from the mean; "
        f"near duplicates have a cosine of {number_of(quality['near_duplicate_cosine'])}."
    )
    return f"<p>{escaped(said)}</p>" + "".join(
        table(caption, header, rows, kinds)
        for caption, header, kinds, rows in (
            (
                "Embeddings as written",
                ("Modality", "Items", "Share", "Zeros", "Outliers", "Near duplicates", *_NORMS),
                ("", *[_NUMBER] * (5 + len(_NORMS))),
                [_line(name, part, quality["items"]) for name, part in found.items()],
            ),
            (
                "Largest groups of near duplicates",
                ("Modality", "Items", "Some of them"),
                ("", _NUMBER, _WORDS),
                list(_groups(found)),
            ),
            (
                "Outliers, the worst first",
                ("Modality", "Item", "Measure", "Value", "Standard deviations"),
                ("", _WORDS, "", _NUMBER, _NUMBER),
                list(_outliers(found)),
            ),
            (
                "Most frequent rejects",
                ("Modality", "Reason", "Items", "Some of them"),
                ("", _WORDS, _NUMBER, _WORDS),
                list(_rejects(found)),
            ),
        )
        if rows
    )


def _line(name: str, part: Mapping[str, Any], items: int) -> tuple[str, ...]:
    norms = [number_of(part["norms"][key]) if part["norms"] else "–" for key in _NORMS]
    return (
        value_of(name),
        number_of(part["present"]),
        share_of(part["present"], items),
        number_of(part["zeros"]),
        number_of(part["outliers"]["items"]),
        number_of(part["near duplicates"]["items"]),
        *norms,
    )


def _groups(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, part in found.items():
        for group in part["near duplicates"]["largest"]:
            yield value_of(name), number_of(group["items"]), _listed(group["item_ids"])


def _outliers(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, part in found.items():
        for worst in part["outliers"]["worst"]:
            yield (
                value_of(name),
                value_of(worst["item_id"]),
                escaped(worst["measure"]),
                number_of(worst["value"]),
                number_of(worst["z"]),
            )


def _rejects(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, part in found.items():
        for reject in part["rejects"]:
            items = [example["item_id"] for example in reject["examples"]]
            yield (
                value_of(name),
                value_of(reject["reason"]),
                number_of(reject["count"]),
                _listed(items),
            )


def _listed(item_ids: list[str]) -> str:
    return ", ".join(map(value_of, item_ids))
