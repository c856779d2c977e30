"""Arrays to and from the two forms in which tensors travel: TensorProto and JSON.

Both follow TF Serving: values in the typed fields of a TensorProto, strings in JSON as UTF-8 text
or as `{"b64": ...}`, and the tokens NaN, Infinity and -Infinity for what JSON has no number for.
"""

import base64
import binascii
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.status import Code, RequestError, invalid
from serving.tensors import DeclaredTensor, DType, dtype_numbered, dtype_of, shape_text

if TYPE_CHECKING:
    from tensorflow.core.framework.tensor_pb2 import TensorProto

BASE64_KEY = "b64"
_DEEPEST_NESTING = 32
# A TensorProto may give one value for a whole tensor; this many elements are written out at most.
_MOST_REPEATED = 1 << 20
_LONGEST_QUOTE = 60


def array_to_proto(array: np.ndarray) -> "TensorProto":
    """A TensorProto with the array's values in their typed field."""
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    dtype = dtype_of(array)
    proto = TensorProto(dtype=dtype.number)
    # A scalar's shape has no dimensions, but the message must be there.
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = array.view(np.uint16) if dtype.name == "half" else array
    getattr(proto, dtype.proto_field).extend(values.ravel().tolist())
    return proto


def array_from_proto(label: str, proto: "TensorProto") -> np.ndarray:
    """The array that a TensorProto holds, in its typed field or as `tensor_content`.

    Args:
        label: what errors call it, such as `input 'user_id'`.
        proto: where it gives fewer values than its shape has places, the last one (or zero) fills
            up.

    Raises:
        RequestError: dtype, shape and values do not belong together.
    """
    dtype = dtype_numbered(proto.dtype)
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid(
            f"{label} has a shape that is not known in full. Give every dimension's size."
        )
    size = math.prod(shape)
    if proto.tensor_content:
        return _from_content(label, proto.tensor_content, dtype, shape)
    values = getattr(proto, dtype.proto_field)
    if len(values) > size or (len(values) < size and size > _MOST_REPEATED):
        raise invalid(
            f"{label} has shape {shape_text(shape)}, which is {size} values, but "
            f"{len(values)} were sent."
        )
    stored = np.dtype(np.uint16) if dtype.name == "half" else dtype.numpy
    flat = np.empty(len(values), stored)
    try:
        flat[:] = list(values)
    except OverflowError as error:
        raise invalid(f"{label} must be {dtype.name}, but a value is out of range.") from error
    flat = flat.view(dtype.numpy) if dtype.name == "half" else flat
    if len(flat) < size:
        rest = flat[-1] if len(flat) else (b"" if dtype.is_string else 0)
        filled = np.empty(size, dtype.numpy)
        filled[: len(flat)], filled[len(flat) :] = flat, rest
        flat = filled
    return flat.reshape(shape)


def _from_content(label: str, content: bytes, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    if dtype.is_string:
        raise RequestError(
            Code.UNIMPLEMENTED,
            f"{label} holds strings in tensor_content. Put them into string_val.",
        )
    wanted = math.prod(shape) * dtype.numpy.itemsize
    if len(content) != wanted:
        raise invalid(
            f"{label} is {dtype.name} {shape_text(shape)}, which is {wanted} bytes of "
            f"tensor_content, but {len(content)} were sent."
        )
    return np.frombuffer(content, dtype.numpy.newbyteorder("<")).astype(dtype.numpy).reshape(shape)


def array_to_json(array: np.ndarray, name: str) -> Any:
    """Nested lists of plain values for `json.dumps`; a scalar is a bare value.

    Args:
        array: of any served dtype.
        name: strings of a tensor whose name ends in `_bytes` are written as base64.

    Raises:
        RequestError: a string is not UTF-8 and the name does not say that it holds bytes.
    """
    dtype = dtype_of(array)
    if dtype.is_string:
        flat = np.empty(array.size, object)
        if name.endswith("_bytes"):
            flat[:] = [
                {BASE64_KEY: base64.b64encode(value).decode("ascii")} for value in array.ravel()
            ]
        else:
            try:
                flat[:] = [value.decode("utf-8") for value in array.ravel()]
            except UnicodeDecodeError as error:
                raise RequestError(
                    Code.INTERNAL,
                    f"output '{name}' holds bytes that are not UTF-8. Ask over gRPC, or export it "
                    "under a name that ends in '_bytes'.",
                ) from error
        return flat.reshape(array.shape).tolist()
    if dtype.name in ("float", "half"):
        # The shortest text that reads back as the same float32, without a double's noise digits.
        return array.astype("U32").astype(np.float64).tolist()
    return array.tolist()


def array_from_json(value: Any, declared: DeclaredTensor) -> np.ndarray:
    """The array that nested lists hold, as `declared`.

    Raises:
        RequestError: names the input, what it must be, what was received and where.
    """
    dtype = declared.dtype
    shape = _shape_of(value, declared)
    if not declared.fits(shape):
        raise invalid(
            f"{declared.label} must be {declared}, received values of shape {shape_text(shape)}."
        )
    flat: list[Any] = []
    _collect(value, shape, (), declared, dtype, flat)
    array = np.empty(len(flat), dtype.numpy)
    array[:] = flat
    return array.reshape(shape)


def _shape_of(value: Any, declared: DeclaredTensor) -> tuple[int, ...]:
    """The shape along the first elements; `_collect` finds what differs from it."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > _DEEPEST_NESTING:
            raise invalid(f"{declared.label} must be {declared}, received lists nested too deeply.")
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _collect(
    value: Any,
    shape: tuple[int, ...],
    place: tuple[int, ...],
    declared: DeclaredTensor,
    dtype: DType,
    flat: list[Any],
) -> None:
    depth = len(place)
    if depth == len(shape):
        try:
            flat.append(_leaf(value, dtype))
        except ValueError as error:
            raise invalid(
                f"{declared.label} must be {declared}, received {error} at {shape_text(place)}."
            ) from error
        return
    if not isinstance(value, list):
        raise invalid(
            f"{declared.label} must be {declared}, but its rows are ragged: at {shape_text(place)} "
            f"there is {_described(value)} where other places hold a list."
        )
    if len(value) != shape[depth]:
        raise invalid(
            f"{declared.label} must be {declared}, but its rows are ragged: the list at "
            f"{shape_text(place)} has {len(value)} entries where the first one has {shape[depth]}. "
            "Fill up short rows, or send them one by one."
        )
    for index, entry in enumerate(value):
        _collect(entry, shape, (*place, index), declared, dtype, flat)


def _leaf(value: Any, dtype: DType) -> Any:
    """One value as the dtype holds it; a ValueError that describes it where it is another type."""
    if dtype.is_string:
        if isinstance(value, str):
            try:
                return value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise ValueError("text that is not Unicode (half a surrogate pair)") from error
        if (
            isinstance(value, dict)
            and list(value) == [BASE64_KEY]
            and isinstance(value[BASE64_KEY], str)
        ):
            return _from_base64(value[BASE64_KEY])
        raise ValueError(_described(value))
    kind = dtype.numpy.kind
    if kind == "b":
        if isinstance(value, bool):
            return value
    elif isinstance(value, int) and not isinstance(value, bool):
        if kind == "f":
            # As TF Serving: a whole number must be exact in the float's mantissa.
            if abs(value) < 2 ** (np.finfo(dtype.numpy).nmant + 1):
                return float(value)
            raise ValueError(f"{_described(value)}, which {dtype.name} cannot hold exactly")
        limits = np.iinfo(dtype.numpy)
        if limits.min <= value <= limits.max:
            return value
        raise ValueError(f"{_described(value)}, which is out of range")
    elif isinstance(value, float) and kind == "f":
        with np.errstate(over="ignore"):
            if math.isfinite(value) and not np.isfinite(dtype.numpy.type(value)):
                raise ValueError(f"{_described(value)}, which is out of range")
        return value
    raise ValueError(_described(value))


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f'{{"{BASE64_KEY}": ...}} that is not base64 ({error})') from error


def _described(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object"}
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=True)
    quoted = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
    return f"the {kinds[type(value)]} {quoted}"
