"""From a download to an input folder: tables, media and what was left out, whole or not at all.

The output has `interactions.csv`, `items.csv`, the media files that the second one names,
`rejects.jsonl`, and `convert.json` with what was read and counted. The same files give the same
bytes.
"""

import csv
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.data.connectors.base import (
    EVENTS,
    ITEM_ID,
    ITEMS,
    MEDIA,
    USERS,
    Download,
    find_download,
)
from tfrs_mm.data.connectors.media_files import (
    PATH_COLUMNS,
    Found,
    MediaMode,
    MediaTaker,
    read_media_map,
    scan_folders,
)
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.data.vocabulary import is_legal_id
from tfrs_mm.errors import UserError

REPORT, REJECTS = "convert.json", "rejects.jsonl"

_NEEDS_QUOTES = '[",\r\n]'


def convert(
    name: str,
    input_dir: pathlib.Path,
    output_dir: pathlib.Path,
    *,
    media_dir: pathlib.Path | None = None,
    media_map: pathlib.Path | None = None,
    media_mode: MediaMode = "link",
    tags: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes an input folder for the jobs.

    Args:
        name: of the connector.
        input_dir: the unpacked download.
        output_dir: the folder to make.
        media_dir: holds media files named after items; else those of the download are taken.
        media_map: a table that names the media files of items, relative to `media_dir`.
        media_mode: whether files are hard-linked or copied.
        tags: whether tags of users become descriptions.
        overwrite: whether a folder that is not empty may be replaced.

    Returns:
        What `convert.json` says.

    Raises:
        UserError: the input is at fault, nothing in it can be used, or the output may not be
            written.
    """
    if media_map is not None and media_dir is None:
        raise UserError("--media-map names files below --media, which was not given. Give both.")
    if media_dir is not None and not media_dir.is_dir():
        raise UserError(f"--media must be a folder; {media_dir} is none. Correct the path.")
    for argument, source in (("--input", input_dir), ("--media", media_dir)):
        if source is not None and source.resolve().is_relative_to(output_dir.resolve()):
            raise UserError(
                f"--output {output_dir} holds {argument} {source}, which it would replace. "
                "Give another folder."
            )
    download = find_download(name, input_dir, tags)
    with whole_directory(output_dir, overwrite=overwrite) as folder:
        with open(folder / REJECTS, "w", encoding="utf-8") as file:
            rejects = Rejects(file)
            taker = MediaTaker(
                _media_of(download, media_dir, media_map, rejects), folder, media_mode, rejects
            )
            written = {
                ITEMS: _write_items(folder / "items.csv", download, taker, rejects),
                EVENTS: _write_events(folder / "interactions.csv", download, rejects),
            }
            if download.users is not None:
                written[USERS] = _write_rows(
                    folder / "users.csv", download.user_columns, download.users(rejects)
                )
        for table in (ITEMS, EVENTS):
            if not written[table]:
                raise UserError(
                    f"--input {input_dir}: none of its {rejects.count(table)} {table} can be "
                    f"used: {rejects.reasons()}. Give the files as they were downloaded."
                )
        report = {
            "connector": name,
            "edition": download.edition,
            "sources": {path.name: path.stat().st_size for path in download.sources},
            **_counters(written, rejects),
            **taker.counts(),
            "media rejected": rejects.count(MEDIA),
            "reasons": rejects.reasons(),
            "notes": list(download.notes),
        }
        write_json(folder / REPORT, report)
    return report


def _media_of(
    download: Download,
    media_dir: pathlib.Path | None,
    media_map: pathlib.Path | None,
    rejects: Rejects,
) -> Found:
    if media_map is not None:
        return read_media_map(media_map, media_dir, rejects)
    return scan_folders(download.media_dirs if media_dir is None else (media_dir,))


def _counters(written: dict[str, int], rejects: Rejects) -> dict[str, int]:
    counters = {}
    for table, count in sorted(written.items()):
        rejected = rejects.count(table)
        counters |= {f"{table} read": count + rejected, f"{table} written": count}
        counters[f"{table} rejected"] = rejected
    return counters


def _write_items(
    path: pathlib.Path, download: Download, taker: MediaTaker, rejects: Rejects
) -> int:
    def rows() -> Iterator[dict[str, str]]:
        for item in download.items(rejects):
            if is_legal_id(item[ITEM_ID]):
                yield item | taker.take(item[ITEM_ID], download.media_names(item))
            else:
                reason = f"{ITEM_ID} is empty or has control characters"
                rejects.add(ITEMS, reason, path.name, item)

    return _write_rows(path, (*download.item_columns, *PATH_COLUMNS.values()), rows())


def _write_rows(path: pathlib.Path, columns: Sequence[str], rows: Iterator[dict[str, str]]) -> int:
    # Cells have no line breaks: a lone carriage return would not be quoted.
    count = 0
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([row[name] for name in columns])
            count += 1
    return count


def _write_events(path: pathlib.Path, download: Download, rejects: Rejects) -> int:
    count = 0
    with open(path, "wb") as file:
        file.write((",".join(download.event_columns) + "\n").encode("utf-8"))
        for batch in download.events(rejects):
            _write_batch(file, batch.select(download.event_columns))
            count += batch.num_rows
    return count


def _write_batch(file: BinaryIO, batch: pa.RecordBatch) -> None:
    """Writes rows of CSV; Arrow quotes every text or none, so most blocks have no quotes."""
    quoted = any(
        pc.any(pc.match_substring_regex(column, _NEEDS_QUOTES)).as_py() for column in batch.columns
    )
    options = arrow_csv.WriteOptions(
        include_header=False, quoting_style="needed" if quoted else "none"
    )
    arrow_csv.write_csv(batch, file, options)
