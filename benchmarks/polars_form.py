"""The behaviour job's records made by a Polars program, without Beam.

Reading, checking, joining, sorting and dropping of repeats are Polars; the cuts and the encoding of
records are the library's own vectorised ones, as the fastest there are for these bytes; shards are
written side by side, since compression leaves the interpreter free. It does the same as
`pipelines.behaviour`: checks, rejects, leave-one-out, vocabularies, and the same records. Run it by
hand: `python benchmarks/polars_form.py --input log --output made`.
"""

import argparse
import concurrent.futures
import json
import pathlib
import zlib

import numpy as np
import polars as pl

from tfrs_mm.data.examples import ExamplesSpec, Ragged
from tfrs_mm.data.splits import TRAIN, VALID, cut_windows, leave_one_out, ranges
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

_ILLEGAL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
_NAMES = ("user_id", "item_id", "timestamp", "event")


def run(input_dir: pathlib.Path, output_dir: pathlib.Path, shards: int, max_history: int) -> None:
    """Writes `vocabulary/`, `behaviour/` and `rejects/` below `output_dir`.

    Args:
        input_dir: holds `interactions.csv` and `items.csv`.
        output_dir: to make.
        shards: files of every record set.
        max_history: items of a history that are kept.
    """
    for name in ("vocabulary", "behaviour", "rejects"):
        (output_dir / name).mkdir(parents=True)
    items = _items(input_dir / "items.csv")
    events = _checked(input_dir / "interactions.csv", items, output_dir / "rejects/events.jsonl")
    kinds = events["event"].unique().sort()
    users = _users(events["user_id"], shards)
    for name, column in (
        ("items", items["item_id"]), ("events", kinds), ("users", users["user_id"])
    ):  # fmt: skip
        text = "".join(f"{value}\n" for value in column)
        (output_dir / "vocabulary" / f"{name}.txt").write_text(text, encoding="utf-8")
    timelines = _timelines(events, users, kinds)
    spec = ExamplesSpec(_schema(len(items), len(users), len(kinds), max_history))
    starts = np.searchsorted(timelines["user"], np.arange(1, len(users) + 2))
    of_shard = np.concatenate([[0], np.cumsum(np.bincount(users["shard"], minlength=shards))])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        writing = [
            pool.submit(write_tfrecord, output_dir / "behaviour" / name, records)
            for shard in range(shards)
            for name, records in _shard(
                timelines, starts, of_shard[shard : shard + 2], shard, shards, spec, max_history
            )
        ]
        for done in concurrent.futures.as_completed(writing):
            done.result()


def _items(path: pathlib.Path) -> pl.DataFrame:
    return (
        pl.read_csv(path, columns=["item_id"], infer_schema=False)
        .filter(_is_legal("item_id"))
        .unique("item_id", keep="first", maintain_order=True)
        .with_row_index("item", offset=1)
    )


def _is_legal(name: str) -> pl.Expr:
    column = pl.col(name)
    return column.is_not_null() & (column != "") & ~column.str.contains(_ILLEGAL)


def _checked(path: pathlib.Path, items: pl.DataFrame, rejects: pathlib.Path) -> pl.DataFrame:
    """Events that can be used, with their item's row and their time; the others are written."""
    events = (
        pl.scan_csv(path, infer_schema=False)
        .with_row_index("position", offset=2)
        .join(items.lazy(), on="item_id", how="left", maintain_order="left")
        .with_columns(time=pl.col("timestamp").cast(pl.Float64, strict=False))
        .with_columns(
            reason=pl.when(~_is_legal("user_id"))
            .then(pl.lit("user_id is illegal"))
            .when(pl.col("time").is_null() | ~pl.col("time").is_finite())
            .then(pl.lit("timestamp is neither a number nor an ISO 8601 time"))
            .when(pl.col("item").is_null())
            .then(pl.lit("item_id is not in the catalogue"))
        )
        .collect()
    )
    with open(rejects, "w", encoding="utf-8") as file:
        for row in events.filter(pl.col("reason").is_not_null()).iter_rows(named=True):
            reject = {
                "reason": row["reason"],
                "where": f"{path.name}:{row['position']}",
                "record": {name: row[name] for name in _NAMES},
            }
            file.write(json.dumps(reject, ensure_ascii=False) + "\n")
    return events.filter(pl.col("reason").is_null()).drop("item_id", "timestamp", "reason")


def _users(ids: pl.Series, shards: int) -> pl.DataFrame:
    """Rows of the users: by shard, then by id."""
    distinct = ids.unique().sort()
    shard = [zlib.crc32(user.encode("utf-8")) % shards for user in distinct]
    return (
        pl.DataFrame({"user_id": distinct, "shard": shard})
        .sort("shard", maintain_order=True)
        .with_row_index("user", offset=1)
    )


def _timelines(
    events: pl.DataFrame, users: pl.DataFrame, kinds: pl.Series
) -> dict[str, np.ndarray]:
    """Columns of `[events]`, by user and time, each item of a user once, the first time."""
    rows = pl.DataFrame({"event": kinds}).with_row_index("kind", offset=1)
    kept = (
        events.lazy()
        .join(users.lazy(), on="user_id", how="left")
        .join(rows.lazy(), on="event", how="left")
        .select("user", "item", "kind", "time", "position")
        .sort("user", "time", "position")
        .unique(["user", "item"], keep="first", maintain_order=True)
        .select("user", "item", "kind", pl.col("time").floor().cast(pl.Int64))
        .collect()
    )
    return {name: kept[name].to_numpy().astype(np.int64) for name in kept.columns}


def _schema(items: int, users: int, kinds: int, max_history: int) -> Schema:
    return Schema(
        (
            FeatureSpec("user", Owner.USER, Kind.ID, users + 1),
            FeatureSpec("item", Owner.ITEM, Kind.ID, items + 1),
            FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, kinds + 1),
        ),
        max_history,
    )


def _shard(
    timelines: dict[str, np.ndarray],
    starts: np.ndarray,
    users: np.ndarray,
    shard: int,
    shards: int,
    spec: ExamplesSpec,
    max_history: int,
) -> list[tuple[str, list[bytes]]]:
    """File names and records of the users from `users[0]` up to `users[1]`."""
    first, last = users
    begin, end = starts[first], starts[last]
    columns = {name: column[begin:end] for name, column in timelines.items()}
    ends, starts = starts[first + 1 : last + 1] - begin, starts[first:last] - begin
    split = leave_one_out(starts, ends)
    # Splits of a user follow each other, so counts up to a place say where they end.
    before = np.concatenate([[[0], [0]], np.cumsum([split == TRAIN, split == VALID], axis=1)], 1)
    trained, validated = (before[:, ends] - before[:, starts]).cumsum(axis=0) + starts

    def pick(name: str, begins: np.ndarray, lengths: np.ndarray) -> Ragged:
        splits = np.concatenate([[0], np.cumsum(lengths)])
        return Ragged(columns[name][ranges(begins, lengths)], splits)

    def history(begins: np.ndarray, lengths: np.ndarray) -> dict[str, Ragged]:
        names = {"history/item": "item", "history/time": "time", "history/event": "kind"}
        return {key: pick(name, begins, lengths) for key, name in names.items()}

    windows = cut_windows(starts, trained, max_history + 1)
    made = [(
        shard_name("train", shard, shards),
        spec.window.encode_columns({
            "user": first + 1 + windows.owner,
            **history(windows.starts, windows.lengths),
            "first_target": windows.first_target,
        }),
    )]  # fmt: skip
    for name, cut, stop, chosen in (
        ("valid", trained, validated, validated > trained),
        ("test", validated, ends, ends > validated),
        ("users", ends, ends, ends > starts),
    ):
        user, begin, cut, stop = np.flatnonzero(chosen), starts[chosen], cut[chosen], stop[chosen]
        newest = np.maximum(cut - max_history, begin)
        made.append((
            shard_name(name, shard, shards),
            spec.query.encode_columns({
                "user": first + 1 + user,
                **history(newest, cut - newest),
                "target/item": pick("item", cut, stop - cut),
                "target/time": pick("time", cut, stop - cut),
                "seen/item": pick("item", begin, cut - begin),
            }),
        ))  # fmt: skip
    return made


def main() -> None:
    """The program as a command."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--max-history", type=int, default=50)
    arguments = parser.parse_args()
    run(arguments.input, arguments.output, arguments.shards, arguments.max_history)


if __name__ == "__main__":
    main()
