import dataclasses
import json

import pytest

from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

FOLDER = EncoderFolder(
    "somewhere",
    "mean colour",
    Modality.IMAGE,
    3,
    "small",
    "uint8",
    (None, 4, 4, 3),
    "abc",
    ("tensorflow_text",),
)


def write(directory, **changes):
    text = json.dumps(FOLDER.description() | {"fingerprint": FOLDER.fingerprint} | changes)
    (directory / "encoder.json").write_text(text)
    (directory / "saved_model.pb").write_bytes(b"")


def test_what_was_described_is_read_back(tmp_path):
    write(tmp_path)
    assert EncoderFolder.read(tmp_path) == dataclasses.replace(FOLDER, path=str(tmp_path))


def test_the_fingerprint_is_of_the_encoder_and_not_of_its_place():
    assert dataclasses.replace(FOLDER, path="elsewhere").fingerprint == FOLDER.fingerprint
    for change in ({"dim": 4}, {"weights_sha256": "abd"}, {"requires": ()}, {"name": "other"}):
        assert dataclasses.replace(FOLDER, **change).fingerprint != FOLDER.fingerprint


def test_a_folder_without_a_description_or_a_model_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no encoder folder: it has no encoder\.json"):
        EncoderFolder.read(tmp_path)
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(UserError, match=r"it has no saved_model\.pb"):
        EncoderFolder.read(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UserError, match="does not describe an encoder: KeyError 'name'"):
        EncoderFolder.read(tmp_path)


def test_a_description_that_was_changed_by_hand_is_refused(tmp_path):
    write(tmp_path, dim=5)
    with pytest.raises(UserError, match="changed by hand"):
        EncoderFolder.read(tmp_path)
