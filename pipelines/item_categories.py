"""The categories of the items, which the behaviour job needs for the profiles of users.

They are read from the catalogue when the vocabularies are there, and handed to the workers in a
file beside these.
"""

import pathlib

import numpy as np

from pipelines.input_folder import InputFolder
from pipelines.log_files import ITEM_ID
from pipelines.tables import catalogue_dialect, read_table
from tfrs_mm.config import DataConfig
from tfrs_mm.data.npz import write_arrays
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import UNKNOWN_ROW

CATEGORIES_FILE = "profile_categories.npz"


def profile_column(vocabulary_dir: pathlib.Path, settings: DataConfig) -> str | None:
    """The category column that profiles speak of: the configured one, or the first one that the
    catalogue has; None where it has none.

    Raises:
        UserError: the catalogue lacks the configured one.
    """
    found = [
        name for name in settings.category_columns if (vocabulary_dir / f"{name}.txt").is_file()
    ]
    if settings.profile_category and settings.profile_category not in found:
        raise UserError(
            f"`data.profile_category` is {settings.profile_category!r}, but {settings.items} has "
            f"the category columns {found}. Name one of them, or give '' for the first."
        )
    return settings.profile_category or next(iter(found), None)


def write_item_categories(
    folder: InputFolder, vocabulary_dir: pathlib.Path, settings: DataConfig
) -> None:
    """Writes the rows of each item's categories, where the catalogue has any.

    As in the item records, the first row of a repeated id counts, and at most
    `data.max_categories` values in the cell's order.
    """
    column = profile_column(vocabulary_dir, settings)
    if column is None:
        return
    items = Vocabulary.read(vocabulary_dir / "items.txt")
    values = Vocabulary.read(vocabulary_dir / f"{column}.txt")
    lists: list[np.ndarray | None] = [None] * items.size
    path = folder.file(settings.items, "data.items").path
    for batch, _ in read_table(path, (ITEM_ID, column), catalogue_dialect(settings)):
        cells = batch.column(column).dictionary_encode()
        of_cell = [_rows_of(cell, values, settings) for cell in cells.dictionary.to_pylist()]
        for row, cell in zip(
            items.rows_of(batch.column(ITEM_ID)).tolist(), cells.indices.to_pylist(), strict=True
        ):
            if lists[row] is None:
                lists[row] = of_cell[cell]
    lists[UNKNOWN_ROW] = None
    ragged = Ragged.of([() if entries is None else entries for entries in lists])
    write_arrays(
        vocabulary_dir / CATEGORIES_FILE, {"values": ragged.values, "splits": ragged.splits}
    )


def read_item_categories(vocabulary_dir: pathlib.Path) -> Ragged | None:
    """Of each row of the items, row 0 included; None where the catalogue has no categories."""
    path = vocabulary_dir / CATEGORIES_FILE
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return Ragged(arrays["values"], arrays["splits"])


def _rows_of(cell: str, values: Vocabulary, settings: DataConfig) -> np.ndarray:
    parts = list(dict.fromkeys(part.strip() for part in cell.split(settings.category_separator)))
    rows = values.rows_of(parts)
    return rows[rows != UNKNOWN_ROW][: settings.max_categories]
