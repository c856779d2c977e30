"""Vocabularies of items and their categories, read from the catalogue in the order of its rows."""

import collections
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pipelines.id_faults import id_fault
from pipelines.input_folder import InputFolder
from pipelines.log_files import ITEM_ID
from pipelines.tables import (
    ROW_NUMBER,
    Dialect,
    catalogue_dialect,
    column_names,
    read_table,
)
from tfrs_mm.artefacts import whole_file
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

REPEATED = "item_id is repeated"

_SHOWN = 3


def write_item_vocabularies(
    folder: InputFolder,
    vocabulary_dir: pathlib.Path,
    rejects_path: pathlib.Path,
    settings: DataConfig,
    former_dir: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Writes `items.txt`, one file for each category column that the catalogue has, and the
    rejects.

    The first row of a repeated id counts. Category values are ordered by how many items have them,
    then by name. An illegal value of a category costs the item that value only, and is told in the
    rejects. Where there is a former run, its ids keep their rows, and new ones follow.

    Args:
        folder: holds the catalogue.
        vocabulary_dir: takes the vocabularies.
        rejects_path: takes what is left out.
        settings: of the data.
        former_dir: vocabularies of the run that this one goes on from.

    Returns:
        Counters: items, rejected rows, rejected category values, and the category columns found.

    Raises:
        UserError: the catalogue is missing, is no table of items, holds no item, or lacks one that
            the former run had.
    """
    table = folder.file(settings.items, "data.items")
    dialect = catalogue_dialect(settings)
    names = column_names(table, (ITEM_ID,), dialect, settings.category_columns)
    categories = [name for name in settings.category_columns if name in names]
    counts: dict[str, collections.Counter[str]] = {
        name: collections.Counter() for name in categories
    }
    ids: dict[str, None] = {}
    rejects: list[dict[str, Any]] = []
    rejected_values = 0

    def reject(reason: str, row: int, record: dict[str, str]) -> None:
        rejects.append({"reason": reason, "where": f"{settings.items}:{row}", "record": record})

    for row, record in _records(table.path, (ITEM_ID, *categories), dialect, reject):
        item_id = record[ITEM_ID]
        fault = id_fault(item_id)
        if fault or item_id in ids:
            reject(f"{ITEM_ID} {fault}" if fault else REPEATED, row, {ITEM_ID: item_id})
            continue
        ids[item_id] = None
        for name in categories:
            values = {part.strip() for part in record[name].split(settings.category_separator)} - {
                ""
            }
            for value in sorted(values):
                fault = id_fault(value)
                if fault:
                    rejected_values += 1
                    reject(f"a value of {name} {fault}", row, {ITEM_ID: item_id, name: value})
                else:
                    counts[name][value] += 1
    if not ids:
        raise UserError(
            f"the catalogue {table.path} holds no item. Give one with a usable row below its "
            "header."
        )
    missing = [item_id for item_id in _ids_in(former_dir, "items") if item_id not in ids]
    if missing:
        raise UserError(
            f"the catalogue {table.path} lacks {len(missing)} items of the base, such as "
            f"{missing[:_SHOWN]}. Keep items in the catalogue that are no longer sold, or make the "
            "data without a base."
        )
    _grow(vocabulary_dir, former_dir, "items", ids)
    for name, counter in counts.items():
        ordered = sorted(counter, key=lambda value, counter=counter: (-counter[value], value))
        _grow(vocabulary_dir, former_dir, name, ordered)
    _write_lines(rejects_path, rejects)
    return {
        "items": len(ids),
        "items rejected": len(rejects) - rejected_values,
        "category values rejected": rejected_values,
        "categories": categories,
    }


def _grow(
    vocabulary_dir: pathlib.Path, former_dir: pathlib.Path | None, name: str, ids: Iterable[str]
) -> None:
    """Writes a vocabulary: former ids in their order, then those of `ids` that are new."""
    grown = dict.fromkeys([*_ids_in(former_dir, name), *ids])
    Vocabulary(tuple(grown)).write(vocabulary_dir / f"{name}.txt")


def _ids_in(former_dir: pathlib.Path | None, name: str) -> tuple[str, ...]:
    path = former_dir / f"{name}.txt" if former_dir else None
    return Vocabulary.read(path).ids if path is not None and path.is_file() else ()


def _records(
    path: str, columns: tuple[str, ...], dialect: Dialect, reject: Callable[..., None]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The numbered rows of the catalogue; records that are no rows are rejected."""
    for batch, broken in read_table(path, columns, dialect):
        for row in broken:
            reject(row.reason, row.number, {"row": row.text})
        for record in batch.to_pylist():
            yield record.pop(ROW_NUMBER), record


def _write_lines(path: pathlib.Path, rejects: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    with whole_file(path) as temporary:
        temporary.write_text(lines, encoding="utf-8")
