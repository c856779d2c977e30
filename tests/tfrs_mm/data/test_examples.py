import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.data.examples import ExamplesSpec, Ragged
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

SCHEMA = Schema(
    features=(
        FeatureSpec("user", Owner.USER, Kind.ID, size=10),
        FeatureSpec("item", Owner.ITEM, Kind.ID, size=1001),
        FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, size=4),
        FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, size=6, width=3),
        FeatureSpec("text", Owner.ITEM, Kind.MEDIA, size=2),
        FeatureSpec("image", Owner.ITEM, Kind.MEDIA, size=3),
    ),
    max_history=3,
)
SPEC = ExamplesSpec(SCHEMA)
WINDOW = {
    "user": 4,
    "history/item": [7, 1000, 9],
    "history/time": [-5, 0, 1_710_000_000],
    "history/event": [1, 2, 3],
    "first_target": 1,
}
QUERY = {
    "user": 2,
    "history/item": [3, 4],
    "history/time": [10, 20],
    "history/event": [1, 1],
    "target/item": [5],
    "target/time": [2**62],
    "seen/item": [3, 4, 8, 9],
}
ITEM = {
    "item": 3,
    "item_id": "Ü3",
    "title": "",
    "text/embedding": [0.5, -1.5],
    "text/present": True,
    "image/embedding": [0.0, 0.0, 0.0],
    "image/present": 0,
    "genres": [5, 1],
}


def as_plain(serialized):
    """What `tf.train.Example` itself reads."""
    features = tf.train.Example.FromString(serialized).features.feature
    return {
        key: list(getattr(value, value.WhichOneof("kind")).value) for key, value in features.items()
    }


def test_protobuf_reads_the_keys_and_values_of_a_window():
    assert as_plain(SPEC.window.encode(WINDOW)) == {
        "user": [4],
        "history/item": [7, 1000, 9],
        "history/time": [-5, 0, 1_710_000_000],
        "history/event": [1, 2, 3],
        "first_target": [1],
    }


def test_a_parsed_window_is_padded_on_the_right_and_marks_its_targets():
    batch = SPEC.window.parse(tf.constant([SPEC.window.encode(WINDOW)]))
    assert sorted(batch) == ["history/event", "history/item", "history/time", "is_target", "user"]
    # max_history 3 gives 4 positions; the first is context, the last is padding
    assert batch["is_target"].numpy().tolist() == [[False, True, True, False]]
    assert batch["history/item"].numpy().tolist() == [[7, 1000, 9, 0]]
    assert batch["history/time"].numpy().tolist() == [[-5, 0, 1_710_000_000, 0]]
    assert batch["history/event"].numpy().tolist() == [[1, 2, 3, 0]]
    assert batch["user"].numpy().tolist() == [4]
    dtypes = {key: tensor.dtype for key, tensor in batch.items()}
    assert dtypes["user"] == dtypes["history/item"] == dtypes["history/event"] == tf.int32
    assert dtypes["history/time"] == tf.int64 and dtypes["is_target"] == tf.bool


def test_a_parsed_query_keeps_targets_and_seen_items_ragged():
    without_target = QUERY | {
        "target/item": [],
        "target/time": [],
        "history/item": [],
        "seen/item": [],
    }
    without_target |= {"history/time": [], "history/event": []}
    batch = SPEC.query.parse(
        tf.constant([SPEC.query.encode(QUERY), SPEC.query.encode(without_target)])
    )
    assert batch["history/item"].numpy().tolist() == [[3, 4, 0], [0, 0, 0]]
    assert batch["history/length"].numpy().tolist() == [2, 0]
    assert batch["target/item"].to_list() == [[5], []]
    assert batch["target/time"].to_list() == [[2**62], []]
    assert batch["seen/item"].to_list() == [[3, 4, 8, 9], []]
    assert batch["seen/item"].dtype == batch["target/item"].dtype == tf.int32


def test_a_parsed_item_has_embeddings_presence_and_padded_categories():
    batch = SPEC.item.parse(tf.constant([SPEC.item.encode(ITEM)] * 2))
    assert batch["item"].numpy().tolist() == [3, 3]
    assert batch["item_id"].numpy()[0].decode() == "Ü3" and batch["title"].numpy()[0] == b""
    assert batch["text/embedding"].numpy().tolist() == [[0.5, -1.5]] * 2
    assert batch["image/embedding"].shape == (2, 3)
    assert batch["text/present"].numpy().tolist() == [True, True]
    assert batch["image/present"].numpy().tolist() == [False, False]
    assert batch["genres"].numpy().tolist() == [[5, 1, 0]] * 2
    assert batch["genres"].dtype == tf.int32 and batch["text/embedding"].dtype == tf.float32


@pytest.mark.parametrize("name", ["window", "query", "item"])
def test_parsing_inside_a_map_gives_what_parsing_eagerly_gives_with_static_shapes(name):
    record, value = getattr(SPEC, name), {"window": WINDOW, "query": QUERY, "item": ITEM}[name]
    serialized = [record.encode(value)] * 2
    dataset = (
        tf.data.Dataset.from_tensor_slices(serialized)
        .batch(2, drop_remainder=True)
        .map(record.parse)
    )
    (mapped,) = list(dataset)
    for key, eager in record.parse(tf.constant(serialized)).items():
        if isinstance(eager, tf.RaggedTensor):
            assert mapped[key].to_list() == eager.to_list()
        else:
            np.testing.assert_array_equal(mapped[key].numpy(), eager.numpy())
            assert dataset.element_spec[key].shape.as_list() == list(eager.shape)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.lists(
                st.tuples(
                    st.integers(0, 1000), st.integers(-(2**63), 2**63 - 1), st.integers(0, 3)
                ),
                max_size=4,
            ),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_columns_encode_to_what_single_records_encode_to_and_parse_back(windows):
    users, histories, firsts = zip(*windows, strict=True)
    columns = {
        "user": np.array(users),
        "history/item": Ragged.of([[entry[0] for entry in history] for history in histories]),
        "history/time": Ragged.of([[entry[1] for entry in history] for history in histories]),
        "history/event": Ragged.of(
            [[entry[2] for entry in history] for history in histories], np.int8
        ),
        "first_target": np.array(firsts),
    }
    serialized = SPEC.window.encode_columns(columns)
    keys = ("history/item", "history/time", "history/event")
    for record, user, history, first in zip(serialized, users, histories, firsts, strict=True):
        plain = {key: [entry[place] for entry in history] for place, key in enumerate(keys)}
        assert record == SPEC.window.encode({"user": user, "first_target": first} | plain)
        assert as_plain(record) == {"user": [user], "first_target": [first]} | plain
    batch = SPEC.window.parse(tf.constant(serialized))
    for row, history in enumerate(histories):
        padding = [0] * (4 - len(history))
        for place, key in enumerate(keys):
            assert batch[key].numpy()[row].tolist() == [entry[place] for entry in history] + padding


def test_a_dense_column_may_stand_for_lists_of_equal_length():
    columns = {key: np.array([value, value]) for key, value in WINDOW.items()}
    assert SPEC.window.encode_columns(columns) == [SPEC.window.encode(WINDOW)] * 2


def test_no_records_are_encoded_from_empty_columns():
    lists = {key: Ragged.of([]) for key in ("history/item", "history/time", "history/event")}
    columns = lists | {"user": np.array([]), "first_target": np.array([])}
    assert SPEC.window.encode_columns(columns) == []


@pytest.mark.parametrize(
    ("record", "change", "message"),
    [
        ("window", {"user": 10}, r"`user` must hold rows in 0\.\.9, received 10\.\.10"),
        ("window", {"user": -1}, r"`user` must hold rows in 0\.\.9"),
        ("window", {"user": 1.5}, "`user` must hold whole numbers, received float64"),
        ("window", {"user": [1]}, "`user` must be a scalar"),
        ("window", {"first_target": 4}, r"`first_target` must hold rows in 0\.\.3"),
        ("window", {"history/item": [1, 1001, 2]}, r"0\.\.1000, received 1\.\.1001"),
        ("window", {"history/item": [1, 2, 3, 4, 5]}, "at most 4 values, received 5"),
        (
            "window",
            {"history/time": [1, 2]},
            "`history/item` and `history/time` must be equally long",
        ),
        ("window", {"history/time": np.array([0, 2**63, 1], dtype=np.uint64)}, "fit into int64"),
        (
            "query",
            {"history/event": [1]},
            "`history/item` and `history/event` must be equally long",
        ),
        ("query", {"target/time": []}, "`target/item` and `target/time` must be equally long"),
        ("query", {"history/item": 3}, "`history/item` must be a list of numbers, received 3"),
        ("item", {"genres": [1, 2, 3, 4]}, "`genres` must hold at most 3 values"),
        ("item", {"genres": [6]}, r"`genres` must hold rows in 0\.\.5"),
        (
            "item",
            {"text/embedding": [1.0]},
            "`text/embedding` must hold exactly 2 values, received 1",
        ),
        ("item", {"text/embedding": [1.0, float("nan")]}, "finite"),
        ("item", {"text/embedding": [1.0, 1e39]}, "finite float32"),
        ("item", {"text/present": 2}, r"`text/present` must hold rows in 0\.\.1"),
        ("item", {"item_id": 3}, "`item_id` must be a string or bytes, received"),
        ("item", {"colour": [1]}, r"missing: \[\], unknown: \['colour'\]"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_record_that_breaks_the_layout_is_refused(record, change, message):
    value = {"window": WINDOW, "query": QUERY, "item": ITEM}[record] | change
    with pytest.raises(ValueError, match=message):
        getattr(SPEC, record).encode(value)


def test_a_missing_column_and_columns_of_unequal_length_are_refused():
    columns = {key: np.array([value, value]) for key, value in WINDOW.items()}
    with pytest.raises(ValueError, match=r"missing: \['user'\]"):
        SPEC.window.encode_columns({key: value for key, value in columns.items() if key != "user"})
    with pytest.raises(ValueError, match=r"`user` 3\."):
        SPEC.window.encode_columns(columns | {"user": np.array([1, 2, 3])})


def test_parsing_data_of_a_longer_history_fails_instead_of_cutting_it():
    longer = ExamplesSpec(Schema(SCHEMA.features, max_history=8))
    history = {"history/item": [1] * 6, "history/time": [1] * 6, "history/event": [1] * 6}
    serialized = longer.window.encode(WINDOW | history)
    with pytest.raises(tf.errors.InvalidArgumentError, match="another schema"):
        SPEC.window.parse(tf.constant([serialized]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="another schema"):
        list(tf.data.Dataset.from_tensors([serialized]).map(SPEC.window.parse))


def test_the_spec_travels_to_another_process():
    SPEC.item.encode(ITEM)
    assert pickle.loads(pickle.dumps(SPEC)).item.encode(ITEM) == SPEC.item.encode(ITEM)


def test_writing_records_does_not_import_tensorflow():
    code = (
        "import sys; import tfrs_mm.data, tfrs_mm.data.tfrecord, tfrs_mm.data.catalogue; "
        "import tfrs_mm.data.input_pipeline; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_packages_of_the_jobs_all_imports_work_and_framing_names_the_extra():
    # Training reads through TensorFlow, which has checksums of its own.
    code = (
        "import sys; sys.modules['google_crc32c'] = sys.modules['pyarrow'] = None; "
        "from tfrs_mm.data import input_pipeline, catalogue, vocabulary, tfrecord; "
        "assert vocabulary.Vocabulary(('a',)).rows_of(['a']).tolist() == [1]; "
        "print(tfrecord.frame([b'']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'tfrs-mm[beam]'" in done.stderr.splitlines()[-1]
