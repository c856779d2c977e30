"""What a signature declares of a tensor: name, dtype and shape, and whether an array fits it.

Arrays are NumPy's; a string tensor is an object array of `bytes`. No TensorFlow here: the client
reads this too.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from serving.status import Code, RequestError, invalid


@dataclasses.dataclass(frozen=True)
class DType:
    """A dtype that can travel.

    Attributes:
        name: as TensorFlow spells it.
        number: in TensorFlow's enum `DataType`.
        numpy: what its arrays hold.
        proto_field: where a TensorProto keeps its values.
    """

    name: str
    number: int
    numpy: np.dtype
    proto_field: str

    @property
    def is_string(self) -> bool:
        """Whether the values are bytes."""
        return self.numpy == np.dtype(object)


DTYPES = (
    DType("float", 1, np.dtype(np.float32), "float_val"),
    DType("double", 2, np.dtype(np.float64), "double_val"),
    DType("int32", 3, np.dtype(np.int32), "int_val"),
    DType("uint8", 4, np.dtype(np.uint8), "int_val"),
    DType("int16", 5, np.dtype(np.int16), "int_val"),
    DType("int8", 6, np.dtype(np.int8), "int_val"),
    DType("string", 7, np.dtype(object), "string_val"),
    DType("int64", 9, np.dtype(np.int64), "int64_val"),
    DType("bool", 10, np.dtype(np.bool_), "bool_val"),
    DType("uint16", 17, np.dtype(np.uint16), "int_val"),
    DType("half", 19, np.dtype(np.float16), "half_val"),
    DType("uint32", 22, np.dtype(np.uint32), "uint32_val"),
    DType("uint64", 23, np.dtype(np.uint64), "uint64_val"),
)
_BY_NUMBER = {dtype.number: dtype for dtype in DTYPES}
_BY_NUMPY = {dtype.numpy: dtype for dtype in DTYPES}


def dtype_numbered(number: int) -> DType:
    """The dtype with this number in TensorFlow's enum.

    Raises:
        RequestError: it cannot travel.
    """
    if number not in _BY_NUMBER:
        known = ", ".join(dtype.name for dtype in DTYPES)
        raise RequestError(
            Code.UNIMPLEMENTED, f"tensors of dtype number {number} are not served; {known} are."
        )
    return _BY_NUMBER[number]


def dtype_of(array: np.ndarray) -> DType:
    """The dtype of an array.

    Raises:
        RequestError: it cannot travel.
    """
    if array.dtype not in _BY_NUMPY:
        raise RequestError(Code.UNIMPLEMENTED, f"arrays of {array.dtype} are not served.")
    return _BY_NUMPY[array.dtype]


@dataclasses.dataclass(frozen=True)
class DeclaredTensor:
    """One input or output of a signature.

    Attributes:
        name: its name in the signature.
        dtype_number: in TensorFlow's enum `DataType`.
        shape: None in it is any size; None for the whole is any rank.
        role: "input" or "output", for errors.
    """

    name: str
    dtype_number: int
    shape: tuple[int | None, ...] | None
    role: str = "input"

    @classmethod
    def from_tensor_info(cls, name: str, info: Any) -> "DeclaredTensor":
        """From a `TensorInfo` message of a SavedModel."""
        shape = None
        if not info.tensor_shape.unknown_rank:
            shape = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
        return cls(name, info.dtype, shape)

    @property
    def dtype(self) -> DType:
        """Its dtype.

        Raises:
            RequestError: it cannot travel.
        """
        return dtype_numbered(self.dtype_number)

    @property
    def label(self) -> str:
        """What errors call it."""
        return f"{self.role} '{self.name}'"

    def __str__(self) -> str:
        return f"{self.dtype.name} {shape_text(self.shape)}"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may be given."""
        return self.shape is None or (
            len(self.shape) == len(shape)
            and all(
                wanted in (None, found) for wanted, found in zip(self.shape, shape, strict=True)
            )
        )

    def demand(self, array: np.ndarray) -> None:
        """Passes if the array fits.

        Raises:
            RequestError: names the input, what it must be and what was received.
        """
        received = dtype_of(array)
        if received != self.dtype or not self.fits(array.shape):
            raise invalid(
                f"{self.label} must be {self}, received {received.name} {shape_text(array.shape)}."
            )


def names_at_fault(given: Iterable[str], declared: Iterable[str]) -> str:
    """What is missing from the inputs and what is too much, or an empty string."""
    missing = [name for name in declared if name not in given]
    extra = [name for name in given if name not in declared]
    faults = []
    if missing:
        faults.append(f"Missing named input: {', '.join(missing)}.")
    if extra:
        faults.append(f"Unknown input: {', '.join(extra)}.")
    if faults:
        faults.append(f"The signature takes {', '.join(declared)}.")
    return " ".join(faults)


def shape_text(shape: tuple[int | None, ...] | None) -> str:
    """A shape as `[?,3]`, or `of any shape`."""
    if shape is None:
        return "of any shape"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
