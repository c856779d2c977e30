"""Amazon Reviews 2023 as it is downloaded: reviews and the metadata of products, by category.

Reviews are `CATEGORY.jsonl`, or the ratings alone as `CATEGORY.csv`; products are
`meta_CATEGORY.jsonl`; each also as `.gz`. A review counts for the product's `parent_asin`, under
which the metadata have it. Averages and counts of ratings are left out of the catalogue, since they
know the future. Pictures are named by address only; a folder with files of ours may be given.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfrs_mm.data.connectors.base import (
    DESCRIPTION,
    EVENT,
    EVENTS,
    ITEM_ID,
    ITEMS,
    RATING,
    TIMESTAMP,
    TITLE,
    USER_ID,
    Download,
    check_columns,
    find_file,
    nothing_found,
)
from tfrs_mm.data.connectors.checks import keep_events
from tfrs_mm.data.connectors.json_records import NO_OBJECT, objects_of, read_records
from tfrs_mm.data.connectors.lines import read_lines
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.data.connectors.separated import header_cells, read_rows
from tfrs_mm.data.connectors.texts import joined_categories, one_line
from tfrs_mm.errors import UserError

EXPECTED = (
    "CATEGORY.jsonl with reviews, or CATEGORY.csv with ratings, and meta_CATEGORY.jsonl with "
    "products, each also as .gz, in the folder or in its review_categories and meta_categories"
)
REVIEW = "review"  # the only kind of event there is

_MAX_DESCRIPTION = 4_000  # characters
_META = "meta_"
_SUBFOLDERS = ("", "review_categories", "meta_categories")
_VERIFIED = "verified_purchase"
_RATINGS = (USER_ID, "parent_asin", RATING, TIMESTAMP)
_REVIEWS = pa.schema(
    [
        (USER_ID, pa.string()),
        ("parent_asin", pa.string()),
        (RATING, pa.float64()),
        (TIMESTAMP, pa.int64()),
        (_VERIFIED, pa.bool_()),
    ]
)
_ITEM_COLUMNS = (
    ITEM_ID, TITLE, DESCRIPTION, "categories", "main_category", "store", "price", "image_url",
)  # fmt: skip
_MAIN = "MAIN"  # the variant of the picture that a product is shown by
_SIZES = ("hi_res", "large", "thumb")


def find(input_dir: pathlib.Path) -> Download:
    """The categories in a folder; see `find_download`."""
    folders = [input_dir / name for name in _SUBFOLDERS if (input_dir / name).is_dir()]
    lines = _files(folders, ".jsonl")
    reviews = {name: path for name, path in lines.items() if not name.startswith(_META)}
    metas = {name: path for name, path in lines.items() if name.startswith(_META)}
    ratings = {
        name: path
        for name, path in _files(folders, ".csv").items()
        if set(_RATINGS) <= set(header_cells(path))
    }
    if reviews and ratings:
        raise UserError(
            f"{input_dir} holds reviews ({sorted(reviews)}) and ratings ({sorted(ratings)}). "
            "Give a folder with one of the two kinds, since they tell of the same events."
        )
    logs = reviews or ratings
    if not logs or not metas:
        raise nothing_found(input_dir, EXPECTED)
    without = [name for name in logs if _META + name not in metas]
    if without:
        raise UserError(
            f"{input_dir} has no {_META}{without[0]}.jsonl for the reviews of {without[0]}. "
            "Put the metadata of every category beside its reviews."
        )
    used = [metas[_META + name] for name in logs]
    unused = sorted(set(metas) - {_META + name for name in logs})
    return Download(
        f"Amazon Reviews 2023, {'reviews' if reviews else 'ratings'} of {', '.join(logs)}",
        (*logs.values(), *used),
        (USER_ID, ITEM_ID, EVENT, RATING, TIMESTAMP, *((_VERIFIED,) if reviews else ())),
        _events_of(list(logs.values()), _read_reviews if reviews else _read_ratings),
        _ITEM_COLUMNS,
        lambda rejects: (item for path in used for item in _read_items(path, rejects)),
        notes=(
            "pictures are named by address only (image_url); nothing is fetched from there",
            *(f"{name} is left out, since it has no reviews here" for name in unused),
        ),
    )


def _files(folders: list[pathlib.Path], suffix: str) -> dict[str, pathlib.Path]:
    """Files of a kind by their names without suffix, in the order of these."""
    names = {
        path.name.removesuffix(".gz").removesuffix(suffix): path.parent
        for folder in folders
        for path in folder.iterdir()
        if path.name.endswith((suffix, f"{suffix}.gz"))
    }
    found = {name: find_file(names[name], name + suffix) for name in sorted(names)}
    return {name: path for name, path in found.items() if path is not None}


def _events_of(paths: list[pathlib.Path], read: Any) -> Any:
    def events(rejects: Rejects) -> Iterator[pa.RecordBatch]:
        for path in paths:
            yield from read(path, rejects)

    return events


def _read_reviews(path: pathlib.Path, rejects: Rejects) -> Iterator[pa.RecordBatch]:
    for table, numbers in read_records(path, _REVIEWS, EVENTS, rejects):
        columns = {
            name: pc.fill_null(pc.cast(table.column(name).combine_chunks(), pa.string()), "")
            for name in _REVIEWS.names
        }
        yield _event_batch(columns, numbers, path, rejects)


def _read_ratings(path: pathlib.Path, rejects: Rejects) -> Iterator[pa.RecordBatch]:
    header = header_cells(path)
    check_columns(path, header, _RATINGS)
    for rows in read_rows(path, header, EVENTS, rejects):
        columns = {name: rows.columns[name] for name in _RATINGS}
        yield _event_batch(columns, rows.numbers, path, rejects)


def _event_batch(
    columns: dict[str, pa.Array], numbers: np.ndarray, path: pathlib.Path, rejects: Rejects
) -> pa.RecordBatch:
    columns[ITEM_ID] = columns.pop("parent_asin")
    columns = keep_events(columns, numbers, path.name, rejects)
    columns[EVENT] = pa.repeat(REVIEW, len(columns[USER_ID]))
    order = (USER_ID, ITEM_ID, EVENT, RATING, TIMESTAMP, _VERIFIED)
    return pa.RecordBatch.from_pydict({name: columns[name] for name in order if name in columns})


def _read_items(path: pathlib.Path, rejects: Rejects) -> Iterator[dict[str, str]]:
    for lines in read_lines(path, ITEMS, rejects):
        for number, text in enumerate(lines.split(), lines.first):
            if not text.strip():
                continue
            product = objects_of(text)
            if product is None:
                rejects.add_line(ITEMS, NO_OBJECT, f"{path.name}:{number}", text)
                continue
            yield _item(product)


def _item(product: dict[str, Any]) -> dict[str, str]:
    """The row of a product; a field of another type than it should have is empty."""
    asin, price = product.get("parent_asin"), product.get("price")
    numeric = isinstance(price, int | float) and not isinstance(price, bool)
    texts = [*_listed(product.get("features")), *_listed(product.get("description"))]
    return {
        ITEM_ID: asin if isinstance(asin, str) else "",
        TITLE: one_line(product.get("title")),
        DESCRIPTION: one_line(" ".join(t for t in texts if isinstance(t, str)), _MAX_DESCRIPTION),
        "categories": joined_categories(_listed(product.get("categories"))),
        "main_category": one_line(product.get("main_category")),
        "store": one_line(product.get("store")),
        "price": str(price) if numeric else one_line(price),
        "image_url": _image_url(_listed(product.get("images"))),
    }


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _image_url(images: list[Any]) -> str:
    """The largest address of the picture that a product is shown by, else of the first."""
    pictures = [image for image in images if isinstance(image, dict)]
    pictures.sort(key=lambda image: image.get("variant") != _MAIN)
    urls = [one_line(picture.get(size)) for picture in pictures for size in _SIZES]
    return next((url for url in urls if url), "")
