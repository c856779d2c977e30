"""How one kind of record is written from columns and parsed into a batch, whatever its keys are.

Writing checks every column against the record's fields and uses no TensorFlow; parsing is a
TensorFlow function that runs eagerly and inside `tf.data`. Which records there are is said in
`examples.py`.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tfrs_mm.data import wire
from tfrs_mm.data.ragged import Ragged

if TYPE_CHECKING:
    import tensorflow as tf

_INT64_MAX = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class Field:
    """One key of a record.

    Attributes:
        key: as in the file.
        dtype: of the list that holds it.
        form: one value, exactly `width` values, or a list.
        width: values of a vector; the most a list may hold, where that is bounded. A bounded list
            is parsed into a dense tensor padded with zeros, an unbounded one into a ragged tensor.
        limit: integers are rows in 0..limit - 1, parsed as int32; None is any int64.
    """

    key: str
    dtype: Literal["int64", "float32", "bytes"]
    form: Literal["scalar", "vector", "list"] = "scalar"
    width: int | None = None
    limit: int | None = None


@dataclasses.dataclass(frozen=True)
class RecordSpec:
    """The layout of one kind of record.

    Attributes:
        name: what an error calls it.
        fields: in the order of the keys.
        aligned: groups of keys whose lists have equal lengths in every record.
        finish: from the parsed fields and the lengths of the bounded lists to the batch.
    """

    name: str
    fields: tuple[Field, ...]
    aligned: tuple[tuple[str, ...], ...]
    finish: Callable[[dict[str, "tf.Tensor"], dict[str, "tf.Tensor"]], dict[str, "tf.Tensor"]]

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """One serialized record from plain values: numbers, strings, sequences."""
        columns = {}
        forms = {field.key: field for field in self.fields}
        for key, value in record.items():
            if key in forms and forms[key].form == "list":
                values = np.asarray(value)
                if values.ndim != 1:
                    raise ValueError(f"`{key}` must be a list of numbers, received {value!r}.")
                columns[key] = Ragged(values, np.array([0, len(values)], dtype=np.int64))
            else:
                columns[key] = (
                    [value] if isinstance(value, str | bytes) else np.asarray(value)[None]
                )
        return self.encode_columns(columns)[0]

    def encode_columns(
        self, columns: Mapping[str, np.ndarray | Ragged | Sequence[Any]]
    ) -> list[bytes]:
        """Serialized records, readable as `tf.train.Example`.

        Args:
            columns: for every key of the record a column of the same length n: `[n]` for a scalar
                (strings or bytes for a bytes field), `[n, width]` for a vector, a `Ragged` or `[n,
                any]` for a list.

        Raises:
            ValueError: a key is missing or unknown, a dtype, shape or length is wrong, a row lies
                outside its vocabulary, or a float is not finite.
        """
        keys = [field.key for field in self.fields]
        if set(keys) != set(columns):
            raise ValueError(
                f"a {self.name} record has the keys {keys}; missing: "
                f"{sorted(set(keys) - set(columns))}, unknown: {sorted(set(columns) - set(keys))}."
            )
        count = len(columns[keys[0]])
        entries, lengths = [], {}
        for field in self.fields:
            column = columns[field.key]
            if len(column) != count:
                raise ValueError(
                    f"columns must be equally long, but `{keys[0]}` has {count} records "
                    f"and `{field.key}` {len(column)}."
                )
            if field.dtype == "bytes":
                entries.append(
                    wire.bytes_entries(field.key, [_as_bytes(field, value) for value in column])
                )
                continue
            values, splits = _flatten(field, column)
            lengths[field.key] = np.diff(splits)
            if field.dtype == "int64":
                entries.append(wire.int64_entries(field.key, _as_int64(field, values), splits))
            else:
                entries.append(wire.float_entries(field.key, _as_float32(field, values), splits))
        for first, *others in self.aligned:
            for other in others:
                if not np.array_equal(lengths[first], lengths[other]):
                    raise ValueError(
                        f"`{first}` and `{other}` must be equally long in every record."
                    )
        return wire.join_entries(entries)

    def parse(self, serialized: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        """The batch of serialized records, eagerly or inside `tf.data`'s `map`.

        Args:
            serialized: `[batch]` string.

        Returns:
            By key. Rows are int32, other numbers as stored, flags bool. A list bounded by the
            schema is `[batch, width]`, padded with zeros on the right; the others are
            `tf.RaggedTensor`s.
        """
        import tensorflow as tf

        dtypes = {"int64": tf.int64, "float32": tf.float32, "bytes": tf.string}
        features = {}
        for field in self.fields:
            if field.form == "list":
                features[field.key] = tf.io.RaggedFeature(
                    dtypes[field.dtype], row_splits_dtype=tf.int64
                )
            else:
                shape = [] if field.form == "scalar" else [field.width]
                features[field.key] = tf.io.FixedLenFeature(shape, dtypes[field.dtype])
        parsed = tf.io.parse_example(serialized, features)
        lengths = {}
        for field in self.fields:
            tensor = parsed[field.key]
            if field.limit is not None:
                tensor = tf.cast(tensor, tf.int32)
            if field.form == "list" and field.width is not None:
                lengths[field.key] = tensor.row_lengths()
                tensor = _pad(tensor, field, serialized.shape[0])
            parsed[field.key] = tensor
        return self.finish(parsed, lengths)


def _flatten(field: Field, column: Any) -> tuple[np.ndarray, np.ndarray]:
    """The values of a numeric column, one behind the other, and `[records + 1]` splits."""
    if isinstance(column, Ragged) and field.form == "list":
        values, splits = column.values, column.splits.astype(np.int64, copy=False)
    else:
        values = np.asarray(column)
        wanted = {"scalar": 1, "vector": 2, "list": 2}[field.form]
        if isinstance(column, Ragged) or values.ndim != wanted:
            received = "lists" if isinstance(column, Ragged) else f"shape {values.shape}"
            raise ValueError(
                f"`{field.key}` must be a {field.form} in every record, received {received}."
            )
        splits = np.arange(len(values) + 1, dtype=np.int64) * (
            values.shape[1] if wanted == 2 else 1
        )
        values = values.reshape(-1)
    if field.width is not None and len(splits) > 1:
        longest = int(np.diff(splits).max())
        if longest > field.width or (field.form == "vector" and longest < field.width):
            rule = "at most" if field.form == "list" else "exactly"
            raise ValueError(
                f"`{field.key}` must hold {rule} {field.width} values, received {longest}."
            )
    return values, splits


def _as_int64(field: Field, values: np.ndarray) -> np.ndarray:
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    if values.dtype.kind not in "iub":
        raise ValueError(f"`{field.key}` must hold whole numbers, received {values.dtype}.")
    smallest, largest = int(values.min()), int(values.max())
    if field.limit is not None and (smallest < 0 or largest >= field.limit):
        raise ValueError(
            f"`{field.key}` must hold rows in 0..{field.limit - 1}, received {smallest}..{largest}."
        )
    if largest > _INT64_MAX:
        raise ValueError(f"`{field.key}` must fit into int64, received {largest}.")
    return values.astype(np.int64, copy=False)


def _as_float32(field: Field, values: np.ndarray) -> np.ndarray:
    if values.size and values.dtype.kind not in "fiub":
        raise ValueError(f"`{field.key}` must hold numbers, received {values.dtype}.")
    converted = values.astype(np.float32, copy=False)
    finite = np.isfinite(converted)
    if not finite.all():
        raise ValueError(
            f"`{field.key}` must hold finite float32 numbers, received {values[~finite][0]}."
        )
    return converted


def _as_bytes(field: Field, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    raise ValueError(f"`{field.key}` must be a string or bytes, received {value!r}.")


def _pad(ragged: "tf.RaggedTensor", field: Field, batch: int | None) -> "tf.Tensor":
    """`[batch, field.width]`; a longer list is an error, as cutting it would lose data unseen."""
    import tensorflow as tf

    fits = tf.debugging.assert_less_equal(
        tf.reduce_max(ragged.row_lengths()),
        tf.constant(field.width, tf.int64),
        message=f"`{field.key}` holds more than {field.width} values: "
        "it was written with another schema.",
    )
    # Eagerly the assertion has run by now and is None.
    with tf.control_dependencies([] if fits is None else [fits]):
        dense = ragged.to_tensor(shape=[None, field.width])
    dense.set_shape([batch, field.width])
    return dense
