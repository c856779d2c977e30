"""Vocabularies of items and of their categories, read from the catalogue in the order of its lines."""

import collections
import json
import os
import pathlib
from typing import Any

from pipelines.catalogue import check_catalogue, read_numbered
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary, is_legal_id
from tfrs_mm.errors import UserError

_ITEM_ID = "item_id"


def write_item_vocabularies(
    table: pathlib.Path, vocabulary_dir: pathlib.Path, rejects_path: pathlib.Path, settings: DataConfig
) -> dict[str, Any]:
    """Writes `items.txt`, one file for each category column that the table has, and the rejects.

    The first line of a repeated id counts. Category values are ordered by how often they occur, then
    by name.

    Returns:
        Counters: items, rejected lines, and the category columns that were found.

    Raises:
        UserError: the table is missing, is no table of items, or holds no item.
    """
    check_catalogue(str(table))
    ids: dict[str, None] = {}
    counts: dict[str, collections.Counter[str]] = {}
    rejects = []
    line = 1
    for batch in read_numbered(str(table), (_ITEM_ID, *settings.category_columns)):
        columns = [name for name in settings.category_columns if name in batch.schema.names]
        cells = zip(*(batch.column(name).to_pylist() for name in (_ITEM_ID, *columns)), strict=True)
        for item_id, *values in cells:
            line += 1
            reason = _fault(item_id, ids)
            if reason:
                record = {"item_id": item_id.encode("unicode_escape").decode("ascii")}
                rejects.append({"reason": reason, "where": f"{table.name}:record {line - 1}", "record": record})
                continue
            ids[item_id] = None
            for name, cell in zip(columns, values, strict=True):
                counts.setdefault(name, collections.Counter()).update(
                    {part.strip() for part in cell.split(settings.category_separator)} - {""}
                )
    if not ids:
        raise UserError(f"the catalogue {table} holds no item. Give one with at least one line below its header.")
    Vocabulary(tuple(ids)).write(vocabulary_dir / "items.txt")
    for name, counter in counts.items():
        ordered = sorted(counter, key=lambda value: (-counter[value], value))
        Vocabulary(tuple(value for value in ordered if is_legal_id(value))).write(vocabulary_dir / f"{name}.txt")
    temporary = rejects_path.with_name(f".{rejects_path.name}.part")
    lines = (json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, rejects_path)
    return {"items": len(ids), "items rejected": len(rejects), "categories": sorted(counts)}


def _fault(item_id: str, known: dict[str, None]) -> str | None:
    if not item_id:
        return "item_id is empty"
    if not is_legal_id(item_id):
        return "item_id has control characters"
    return "item_id is repeated" if item_id in known else None
