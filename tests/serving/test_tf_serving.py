"""The files for the real TF Serving, as far as they can be read without it."""

import pathlib

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

import serving

FOLDER = pathlib.Path(serving.__file__).parent / "tf_serving"


def test_models_config_serves_every_version_under_the_clients_default_name():
    parsed = text_format.Parse((FOLDER / "models.config").read_text("utf-8"), ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert model.name == serving.DEFAULT_MODEL_NAME
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.HasField("all")


def test_batching_never_fills_a_short_history_with_its_first_item():
    lines = (FOLDER / "batching.config").read_text("utf-8").splitlines()
    assert "pad_variable_length_inputs: false" in lines


def test_the_readme_says_that_it_was_not_run():
    assert "Not run here" in (FOLDER / "README.md").read_text("utf-8")
