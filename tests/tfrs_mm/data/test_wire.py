import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.data import wire

INT64 = st.integers(-(2**63), 2**63 - 1)
# Most values of real columns are short; the whole range must work all the same.
NUMBERS = st.one_of(st.integers(0, 3), st.integers(0, 2**35), INT64)


def splits_of(lists):
    return np.concatenate([[0], np.cumsum([len(entries) for entries in lists])]).astype(np.int64)


def flat(lists, dtype):
    return np.array([value for entries in lists for value in entries], dtype=dtype)


def written_by_protobuf(features):
    example = tf.train.Example()
    for key, (kind, values) in features.items():
        getattr(example.features.feature[key], kind).value.extend(values)
        if not len(values):
            getattr(example.features.feature[key], kind).SetInParent()
    return example.SerializeToString(deterministic=True)


def test_varints_are_those_of_the_protobuf_guide():
    encoded, splits = wire.varints(np.array([1, 150, 0, 127, 128]))
    # 150 = 1 * 128 + 22, the low part first: 22 | 128 = 0x96, then 0x01
    assert encoded.tobytes() == b"\x01\x96\x01\x00\x7f\x80\x01"
    assert splits.tolist() == [0, 1, 3, 4, 5, 7]


def test_a_negative_number_takes_ten_bytes():
    encoded, splits = wire.varints(np.array([-1, 5]))
    assert encoded.tobytes() == b"\xff" * 9 + b"\x01" + b"\x05"
    assert splits.tolist() == [0, 10, 11]


def test_no_numbers_are_no_bytes():
    encoded, splits = wire.varints(np.array([], dtype=np.int64))
    assert encoded.size == 0 and splits.tolist() == [0]


@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_varints_decode_to_the_numbers(numbers):
    encoded, splits = wire.varints(np.array(numbers, dtype=np.int64))
    for number, start, end in zip(numbers, splits[:-1], splits[1:], strict=True):
        decoded = sum(
            (int(byte) & 0x7F) << (7 * place) for place, byte in enumerate(encoded[start:end])
        )
        assert decoded == number % 2**64


@given(
    st.lists(
        st.tuples(
            st.lists(NUMBERS, max_size=9),
            st.lists(st.floats(width=32, allow_nan=False), max_size=5),
            st.binary(max_size=300),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_records_are_byte_for_byte_those_of_protobuf(records):
    numbers, floats, texts = zip(*records, strict=True)
    written = wire.join_entries(
        [
            wire.int64_entries("a", flat(numbers, np.int64), splits_of(numbers)),
            wire.float_entries("b", flat(floats, np.float32), splits_of(floats)),
            wire.bytes_entries("c", texts),
        ]
    )
    assert written == [
        written_by_protobuf(
            {"a": ("int64_list", n), "b": ("float_list", f), "c": ("bytes_list", [t])}
        )
        for n, f, t in records
    ]


def test_a_record_longer_than_one_length_byte_is_right():
    values = np.arange(5000) - 2500
    (record,) = wire.join_entries([wire.int64_entries("long/key", values, np.array([0, 5000]))])
    assert record == written_by_protobuf({"long/key": ("int64_list", values.tolist())})
