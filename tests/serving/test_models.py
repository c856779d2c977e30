import shutil
import sys

import numpy as np
import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from serving.loading import find_versions
from serving.models import ServedModel
from serving.status import Code, RequestError
from tfrs_mm.errors import UserError


def strings(values) -> np.ndarray:
    return np.array(values, object)


def copy_with_ops_renamed(toy_model_dir, target, new_op: str):
    """Version 1 with every TopKV2 called `new_op`, as if made with a library that is not here."""
    shutil.copytree(toy_model_dir / "1", target / "1")
    path = target / "1" / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    for node in [
        *graph.node,
        *(node for function in graph.library.function for node in function.node_def),
    ]:
        if node.op == "TopKV2":
            node.op = new_op
    path.write_bytes(saved.SerializeToString())


def test_versions_are_the_numbered_folders_in_numeric_order(tmp_path):
    for name in ("10", "9", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert list(find_versions(tmp_path)) == [9, 10]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: root / "absent", "does not exist"),
        (lambda root: root, "holds no model: it has no version folder"),
        (
            lambda root: [(root / "3").mkdir(), root][1],
            "3 holds no model: it has no saved_model.pb",
        ),
        (lambda root: [(root / "saved_model.pb").touch(), root][1], "give the folder above it"),
    ],
)
def test_a_folder_without_a_model_is_one_clear_line(tmp_path, make, words):
    with pytest.raises(UserError) as error:
        ServedModel("toy", make(tmp_path))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_damaged_files_are_one_clear_line(toy_model_dir, tmp_path):
    (tmp_path / "1").mkdir()
    whole = (toy_model_dir / "1" / "saved_model.pb").read_bytes()
    (tmp_path / "1" / "saved_model.pb").write_bytes(whole[:300])
    with pytest.raises(UserError, match="is damaged"):
        ServedModel("toy", tmp_path)
    # Whole, but without its variables.
    (tmp_path / "1" / "saved_model.pb").write_bytes(whole)
    with pytest.raises(UserError, match="1 cannot be loaded") as error:
        ServedModel("toy", tmp_path)
    assert "\n" not in str(error.value)


def test_an_op_that_nobody_registers_is_named(toy_model_dir, tmp_path):
    copy_with_ops_renamed(toy_model_dir, tmp_path, "Unheard")
    with pytest.raises(UserError, match="Op type not registered 'Unheard'"):
        ServedModel("toy", tmp_path)


def test_scann_is_imported_for_its_ops_and_loading_is_tried_again(toy_model_dir, tmp_path, caplog):
    copy_with_ops_renamed(toy_model_dir, tmp_path, "Scann>Unheard")
    with pytest.raises(UserError, match="Scann>Unheard"):
        ServedModel("toy", tmp_path)
    assert "uses the op Scann>Unheard, which comes with scann" in caplog.text


def test_where_scann_is_not_installed_the_extra_is_named(toy_model_dir, tmp_path, monkeypatch):
    copy_with_ops_renamed(toy_model_dir, tmp_path, "Scann>Unheard")
    # An entry of None makes the import fail as it does for an absent module.
    monkeypatch.setitem(sys.modules, "scann.scann_ops.py.scann_ops", None)
    with pytest.raises(UserError, match=r"tfrs-mm\[scann\]"):
        ServedModel("toy", tmp_path)


def test_only_the_versions_asked_for_are_loaded(toy_model_dir):
    model = ServedModel("toy", toy_model_dir, versions=[1])
    assert model.version(None).number == 1
    with pytest.raises(RequestError) as error:
        model.version(2)
    assert error.value.code == Code.NOT_FOUND
    with pytest.raises(UserError, match=r"no version \[7\]; it has \[1, 2\]"):
        ServedModel("toy", toy_model_dir, versions=[7])


def test_the_signature_answers_the_arrays_of_the_filter(toy_server):
    similar = toy_server.model.version(1).signature("similar_items")
    outputs = similar.predict({"item_id": strings([b"b"])}, ["item_ids"])
    assert list(outputs) == ["item_ids"]
    # Without b itself, by score: ü1, c, d.
    assert outputs["item_ids"].tolist() == [["ü1".encode(), b"c", b"d"]]


@pytest.mark.parametrize(
    ("inputs", "wanted", "words"),
    [
        ({}, [], "Missing named input: item_id"),
        ({"item_id": strings([b"b"]), "x": strings([b"b"])}, [], "Unknown input: x"),
        (
            {"item_id": np.array([1.0], np.float32)},
            [],
            "input 'item_id' must be string [?], received float",
        ),
        ({"item_id": strings([[b"b"]])}, [], "received string [1,1]"),
        (
            {"item_id": strings([b"b"])},
            ["rank"],
            "output tensor alias not found in signature: rank",
        ),
        ({"item_id": strings([b"b"])}, ["scores", "scores"], "duplicate output"),
    ],
)
def test_what_does_not_fit_the_signature_is_named(toy_server, inputs, wanted, words):
    with pytest.raises(RequestError) as error:
        toy_server.model.version(1).signature("similar_items").predict(inputs, wanted)
    assert error.value.code == Code.INVALID_ARGUMENT and words in error.value.message


def test_an_assertion_in_the_graph_is_the_senders_mistake(toy_server):
    inputs = {
        "user_id": strings([b"u", b"v"]),
        "history_item_ids": strings([[b"b"]]),
        "exclude_item_ids": np.empty((2, 0), object),
    }
    with pytest.raises(RequestError, match="history must have one row a user") as error:
        toy_server.model.version(1).signature("recommend").predict(inputs)
    assert error.value.code == Code.INVALID_ARGUMENT
    # TensorFlow's note of where the op stood in the graph is left out.
    assert "node" not in error.value.message and "\n" not in error.value.message
