"""Tags that users of MovieLens gave to films, as descriptions: the most frequent ones of each."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tfrs_mm.data.connectors.separated import Rows
from tfrs_mm.data.connectors.texts import one_line

TOP_TAGS = 20  # of a film, in its description

_ROWS_AT_ONCE = 500_000  # of different tags of films, before they are counted together


def descriptions_of(blocks: Iterable[Rows]) -> dict[str, str]:
    """For each film its most frequent tags in small letters, ties in their own order.

    Memory goes with the number of different tags of films, not with how often they were given.

    Args:
        blocks: with columns `movieId` and `tag`.
    """
    counted = pa.table(
        {
            "movieId": pa.array([], pa.string()),
            "tag": pa.array([], pa.string()),
            "n": pa.array([], pa.int64()),
        }
    )
    waiting = [counted]
    for rows in blocks:
        tags = pc.utf8_lower(pc.utf8_trim_whitespace(rows.columns["tag"]))
        ones = pa.repeat(pa.scalar(1, pa.int64()), len(tags))
        waiting.append(
            _counted([pa.table({"movieId": rows.columns["movieId"], "tag": tags, "n": ones})])
        )
        if sum(table.num_rows for table in waiting[1:]) > _ROWS_AT_ONCE:
            waiting = [_counted(waiting)]
    counted = _counted(waiting).sort_by(
        [("movieId", "ascending"), ("n", "descending"), ("tag", "ascending")]
    )
    return {film: ", ".join(tags[:TOP_TAGS]) for film, tags in _by_film(counted)}


def _counted(tables: list[pa.Table]) -> pa.Table:
    sums = pa.concat_tables(tables).group_by(["movieId", "tag"]).aggregate([("n", "sum")])
    return sums.rename_columns({"n_sum": "n"}).select(["movieId", "tag", "n"])


def _by_film(counted: pa.Table) -> Iterator[tuple[str, list[str]]]:
    film, tags = None, []
    for batch in counted.to_batches():
        for of, tag in zip(
            batch.column("movieId").to_pylist(), batch.column("tag").to_pylist(), strict=True
        ):
            if of != film:
                if film is not None:
                    yield film, tags
                film, tags = of, []
            tag = one_line(tag)
            if tag:
                tags.append(tag)
    if film is not None:
        yield film, tags
