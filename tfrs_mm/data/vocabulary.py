"""A vocabulary: string ids in a fixed order, each with an integer row. Row 0 stands for the
unknown.

On disk it is a text file whose line r holds the id of row r. The order is the writer's: what a row
means is decided once, by the job that makes the vocabulary.
"""

import dataclasses
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfrs_mm.artefacts import fingerprint_of, whole_file
from tfrs_mm.errors import UserError
from tfrs_mm.schema import UNKNOWN_ROW

# Control characters, other ends of lines, and lone surrogates, which have no UTF-8 form.
_ILLEGAL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHOWN = 3


def is_legal_id(value: str) -> bool:
    """Whether `value` can stand in a vocabulary: not empty, no control character, no line break."""
    return bool(value) and _ILLEGAL.search(value) is None


def hash_buckets(values: Sequence[str] | np.ndarray, buckets: int) -> np.ndarray:
    """A bucket for each id, the same on every machine and in every version: `[n]` int64.

    Args:
        values: `[n]`, ids.
        buckets: how many; at least 1.
    """
    digests = (hashlib.blake2b(value.encode("utf-8"), digest_size=8).digest() for value in values)
    numbers = (int.from_bytes(digest, "big") % buckets for digest in digests)
    return np.fromiter(numbers, np.int64, len(values))


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Ids and their rows; the first id has row 1.

    Attributes:
        ids: distinct, none empty, none with a line break or another control character.

    Raises:
        UserError: an id is empty, holds such a character, or comes twice.
    """

    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        illegal = [value for value in self.ids if not is_legal_id(value)]
        if illegal:
            raise UserError(
                "ids must not be empty nor hold line breaks or control characters; "
                f"received {len(illegal)} that do, such as {illegal[:_SHOWN]}. "
                "Correct them in the input."
            )
        if len(self._row_of) != len(self.ids):
            seen: set[str] = set()
            twice = [value for value in self.ids if value in seen or seen.add(value)]
            raise UserError(
                f"ids of a vocabulary must be distinct; received {len(twice)} repetitions, "
                f"such as {twice[:_SHOWN]}. Give each id once."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # The lookup tables are rebuilt at the other end rather than pickled with the ids.
        return Vocabulary, (self.ids,)

    @property
    def size(self) -> int:
        """Rows, the unknown one included."""
        return len(self.ids) + 1

    def rows_of(self, values: Any) -> np.ndarray:
        """The rows of ids, 0 where an id is unknown or null.

        Args:
            values: `[n]`, a sequence or NumPy array of strings, or an Arrow array or chunked array
                of strings, dictionary-encoded or not.

        Returns:
            `[n]` int64.
        """
        if hasattr(values, "dictionary_encode"):
            return self._rows_of_arrow(values)
        if isinstance(values, np.ndarray):
            values = values.tolist()
        if isinstance(values, str):
            raise ValueError(
                f"`values` must be a sequence of ids, received the one string {values!r}."
            )
        return self._look_up(values, len(values))

    def ids_of(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The ids of rows, the empty string for row 0; an object array of the shape of `rows`.

        Raises:
            ValueError: a row is negative or beyond the last one.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self.size):
            raise ValueError(
                f"`rows` must lie in 0..{self.size - 1}, received {rows.min()}..{rows.max()}. "
                "Rows belong to the vocabulary they were made with."
            )
        return self._ids_by_row[rows]

    def fingerprint(self) -> str:
        """Equal for two vocabularies exactly where their ids and the order of these are equal."""
        return fingerprint_of(list(self.ids))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes one id a line, UTF-8; the file appears whole."""
        with whole_file(path) as temporary:
            temporary.write_bytes("".join(f"{value}\n" for value in self.ids).encode("utf-8"))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Reads what `write` wrote.

        Raises:
            UserError: there is no such file, it is not UTF-8, its last line is cut off, or an id is
                illegal.
        """
        path = pathlib.Path(path)
        if not path.is_file():
            raise UserError(
                f"vocabulary {path} does not exist. Give a folder that `tfrs-mm preprocess` wrote."
            )
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"vocabulary {path} must be UTF-8: {error}. Write the file again."
            ) from error
        *ids, rest = text.split("\n")
        if rest:
            raise UserError(
                f"vocabulary {path} ends inside a line ({rest[:40]!r}). Write the file again."
            )
        try:
            return cls(tuple(ids))
        except UserError as error:
            raise UserError(f"vocabulary {path}: {error}") from error

    @functools.cached_property
    def _row_of(self) -> dict[str, int]:
        return {value: row for row, value in enumerate(self.ids, start=UNKNOWN_ROW + 1)}

    @functools.cached_property
    def _ids_by_row(self) -> np.ndarray:
        return np.array(("", *self.ids), dtype=object)

    def _look_up(self, values: Iterable[Any], count: int) -> np.ndarray:
        row_of = self._row_of
        return np.fromiter((row_of.get(value, UNKNOWN_ROW) for value in values), np.int64, count)

    def _rows_of_arrow(self, values: Any) -> np.ndarray:
        """Looks each distinct value up once, so no batch costs a pass over the vocabulary."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        kind = encoded.type.value_type
        if not (
            pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
        ):
            raise ValueError(f"`values` must be an Arrow array of strings, received one of {kind}.")
        # An index past the end of the dictionary's own rows stands for null.
        dictionary_rows = np.append(
            self._look_up(encoded.dictionary.to_pylist(), len(encoded.dictionary)), 0
        )
        indices = pc.fill_null(encoded.indices.cast(pa.int64()), len(encoded.dictionary))
        return dictionary_rows[indices.to_numpy(zero_copy_only=False)]
