import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.codec import array_from_json, array_from_proto, array_to_json, array_to_proto
from serving.status import Code, RequestError
from serving.tensors import DeclaredTensor

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
NUMBERS = st.sampled_from("? f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split()).map(np.dtype)
NUMERIC = st.tuples(NUMBERS, SHAPES).flatmap(lambda kind: arrays.arrays(*kind))
BYTES = SHAPES.flatmap(lambda shape: arrays.arrays(object, shape, elements=st.binary(max_size=5)))
TEXT = SHAPES.flatmap(
    lambda shape: arrays.arrays(
        object,
        shape,
        elements=st.text(st.characters(exclude_categories=["Cs"]), max_size=5).map(str.encode),
    )
)


def declared(array: np.ndarray, name: str = "x") -> DeclaredTensor:
    return DeclaredTensor(name, tf_dtype(array).as_datatype_enum, None)


def tf_dtype(array: np.ndarray) -> tf.DType:
    return tf.string if array.dtype == object else tf.dtypes.as_dtype(array.dtype)


def strings(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def same(left: np.ndarray, right: np.ndarray) -> None:
    assert left.dtype == right.dtype and left.shape == right.shape
    np.testing.assert_array_equal(left, right)


@settings(deadline=None, derandomize=True)
@given(NUMERIC | BYTES)
def test_an_array_comes_back_from_a_proto(array):
    same(array_from_proto("input 'x'", array_to_proto(array)), array)


@settings(deadline=None, derandomize=True)
@given(NUMERIC | BYTES)
def test_tensorflow_reads_our_protos_and_we_read_its(array):
    np.testing.assert_array_equal(tf.make_ndarray(array_to_proto(array)), array)
    theirs = tf.make_tensor_proto(array, dtype=tf_dtype(array), shape=array.shape)
    same(array_from_proto("input 'x'", theirs), array)


@settings(deadline=None, derandomize=True)
@given(NUMERIC)
def test_numbers_come_back_from_json(array):
    value = array_to_json(array, "x")
    # An empty outer dimension hides the inner ones in JSON, as in TF Serving.
    shape = array.shape[: array.shape.index(0) + 1] if 0 in array.shape else array.shape
    same(array_from_json(value, declared(array)), array.reshape(shape))


@settings(deadline=None, derandomize=True)
@given(TEXT)
def test_any_unicode_comes_back_from_json(array):
    shape = array.shape[: array.shape.index(0) + 1] if 0 in array.shape else array.shape
    same(array_from_json(array_to_json(array, "x"), declared(array)), array.reshape(shape))


@settings(deadline=None, derandomize=True)
@given(BYTES)
def test_any_bytes_come_back_as_base64_under_a_name_ending_in_bytes(array):
    shape = array.shape[: array.shape.index(0) + 1] if 0 in array.shape else array.shape
    same(array_from_json(array_to_json(array, "x_bytes"), declared(array)), array.reshape(shape))


def test_floats_are_written_with_the_fewest_digits():
    assert array_to_json(np.array([0.2, 3.0, -3.4028235e38], np.float32), "x") == [
        0.2,
        3.0,
        -3.4028235e38,
    ]


def test_what_json_has_no_number_for_is_kept():
    values = array_to_json(np.array([np.nan, np.inf, -np.inf], np.float32), "x")
    assert math.isnan(values[0]) and values[1:] == [math.inf, -math.inf]


def test_bytes_that_are_not_utf8_are_an_error_of_the_model():
    with pytest.raises(
        RequestError, match="output 'title' holds bytes that are not UTF-8"
    ) as error:
        array_to_json(strings(b"\xff"), "title")
    assert error.value.code == Code.INTERNAL


def test_base64_may_lack_its_padding():
    # "aGk" is "hi" without the final "=".
    same(
        array_from_json([{"b64": "aGk"}, {"b64": "aGk="}], declared(strings(b""))),
        strings(b"hi", b"hi"),
    )


@pytest.mark.parametrize(
    ("dtype", "value", "words"),
    [
        ("string", [5], "received the number 5 at [0]"),
        ("string", ["a", None], "received null at [1]"),
        ("string", [{"b64": "?"}], "not base64"),
        ("string", [{"b64": 1}], 'received the object {"b64": 1}'),
        ("string", ["\ud800"], "not Unicode"),
        ("float32", ["1"], 'received the string "1" at [0]'),
        ("float32", [True], "received the boolean true"),
        ("float32", [2**24], "cannot hold exactly"),
        ("float32", [1e39], "out of range"),
        ("int32", [1.0], "received the number 1.0"),
        ("int32", [2**31], "out of range"),
        ("int8", [128], "out of range"),
        ("uint8", [-1], "out of range"),
        ("bool", [0], "received the number 0"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place(dtype, value, words):
    tensor = DeclaredTensor("x", tf.dtypes.as_dtype(dtype).as_datatype_enum, (None,))
    with pytest.raises(RequestError) as error:
        array_from_json(value, tensor)
    assert error.value.code == Code.INVALID_ARGUMENT
    assert "input 'x' must be" in error.value.message and words in error.value.message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([["a", "b"], ["c"]], "the list at [1] has 1 entries where the first one has 2"),
        ([["a"], "b"], 'at [1] there is the string "b" where other places hold a list'),
        (["a"], "must be string [?,?], received values of shape [1]"),
        ([[["a"]]], "received values of shape [1,1,1]"),
        ([["a", ["b"]]], "received a list of 1 at [0,1]"),
    ],
)
def test_ragged_rows_and_wrong_shapes_are_named(value, words):
    tensor = DeclaredTensor("history", tf.string.as_datatype_enum, (None, None))
    with pytest.raises(RequestError) as error:
        array_from_json(value, tensor)
    assert "input 'history'" in error.value.message and words in error.value.message


def test_lists_nested_hundreds_deep_are_refused():
    value: list = []
    for _ in range(900):
        value = [value]
    with pytest.raises(RequestError, match="nested too deeply"):
        array_from_json(value, DeclaredTensor("x", tf.string.as_datatype_enum, None))


def test_a_proto_with_fewer_values_is_filled_up_with_the_last():
    proto = tf.make_tensor_proto(7, dtype=tf.int32, shape=[2, 2])
    same(array_from_proto("x", proto), np.full((2, 2), 7, np.int32))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda proto: proto.tensor_shape.dim.add(size=1 << 40), "1 were sent"),
        (lambda proto: proto.float_val.append(1.0), "which is 1 values, but 2 were sent"),
        (lambda proto: setattr(proto.tensor_shape.dim[0], "size", -1), "not known in full"),
        (lambda proto: setattr(proto, "tensor_content", b"abc"), "which is 4 bytes"),
        (lambda proto: setattr(proto, "dtype", 14), "dtype number 14"),
    ],
)
def test_a_proto_that_contradicts_itself_is_refused(change, words):
    proto = array_to_proto(np.array([1.0], np.float32))
    change(proto)
    with pytest.raises(RequestError) as error:
        array_from_proto("input 'x'", proto)
    assert words in error.value.message
