"""What a path of the catalogue may name, and what comes of it: the right medium or a reason.

The decoders are those that the media job uses, one for each kind of file.
"""

import os
import shutil
import socket
import threading
import time
import unicodedata

import numpy as np
import pytest

from pipelines.decode import decoder_of
from pipelines.media_files import MediaFiles
from tfrs_mm.config import EncoderConfig
from tfrs_mm.media import MediaError
from tfrs_mm.media.writing import write_jpeg, write_mp3, write_mp4
from tfrs_mm.schema import Modality

SHAPES = {
    Modality.IMAGE: [None, 16, 16, 3],
    Modality.AUDIO: [None, 187, 96],
    Modality.VIDEO: [None, 16, 16, 3],
}
ENDINGS = {Modality.IMAGE: "jpg", Modality.AUDIO: "mp3", Modality.VIDEO: "mp4"}
EVERY = pytest.mark.parametrize("modality", sorted(SHAPES))


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One good file of each kind."""
    folder = tmp_path_factory.mktemp("originals")
    write_jpeg(folder / "good.jpg", np.full([20, 20, 3], 100, np.uint8))
    write_mp3(folder / "good.mp3", np.sin(np.arange(16_000) / 5) / 2, 16_000)
    write_mp4(folder / "good.mp4", np.full([4, 32, 32, 3], 100, np.uint8), fps=4)
    return folder


def decode(modality, folder, path, **settings):
    config = EncoderConfig(**{"frames": 2, "max_seconds": 4.0} | settings)
    return decoder_of(modality, SHAPES[modality], MediaFiles.of(folder), config)(path)


def good(originals, modality, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(originals / f"good.{ENDINGS[modality]}", path)


def reason(modality, folder, path, **settings):
    with pytest.raises(MediaError) as error:
        decode(modality, folder, path, **settings)
    return str(error.value)


@EVERY
@pytest.mark.parametrize(
    "name",
    [
        "with blanks.x", "Ünïcödé 東京 🎬.x", "100%25.x", "a&b=c;d.x", "quote'\".x", "-rf.x",
        "http:x.x", "pipe:0", "concat:a|b.x", "%05d.x", "data:image,x", "no ending", "~.x",
        "deep/er/and/deeper.x", "back\\slash.x", "new\nline.x", "dots...x", "C:x.x",
    ],
)  # fmt: skip
def test_a_file_is_taken_by_whatever_name(originals, tmp_path, modality, name):
    good(originals, modality, tmp_path / name)
    assert len(decode(modality, tmp_path, name)) >= 1


@EVERY
def test_the_ending_of_a_name_means_nothing(originals, tmp_path, modality):
    good(originals, modality, tmp_path / "file.txt")
    assert len(decode(modality, tmp_path, "file.txt")) >= 1


@EVERY
def test_a_name_that_is_spelt_otherwise_in_unicode_is_another_file(originals, tmp_path, modality):
    good(originals, modality, tmp_path / unicodedata.normalize("NFC", "é.x"))
    decomposed = unicodedata.normalize("NFD", "é.x")
    assert reason(modality, tmp_path, decomposed) == "file does not exist"


@EVERY
def test_nothing_that_is_no_file_is_opened(tmp_path, modality):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(tmp_path)  # the name of a socket must be short
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        started = time.monotonic()
        for name in ("folder", "pipe", "socket"):
            assert reason(modality, tmp_path, name) == "not a regular file"
    # Whoever opened the pipe would wait for a writer for ever.
    assert time.monotonic() - started < 5


@EVERY
def test_a_link_may_lead_within_the_folder_and_not_out_of_it(originals, tmp_path, modality):
    home = tmp_path / "in"
    good(originals, modality, home / "real.x")
    good(originals, modality, tmp_path / "outside.x")
    (home / "inside").symlink_to(home / "real.x")
    (home / "relative").symlink_to("real.x")
    (home / "out").symlink_to(tmp_path / "outside.x")
    (home / "device").symlink_to("/dev/zero")
    (home / "round").symlink_to("round")
    (home / "nowhere").symlink_to("gone.x")
    for name in ("inside", "relative"):
        assert len(decode(modality, home, name)) >= 1
    for name in ("out", "device"):
        assert reason(modality, home, name) == "path leaves the data folder through a symbolic link"
    assert reason(modality, home, "round") in ("path cannot be resolved", "file cannot be read")
    assert reason(modality, home, "nowhere") == "file does not exist"


@EVERY
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../outside.x", "path leaves the data folder"),
        ("a/../../outside.x", "path leaves the data folder"),
        ("/etc/hostname", "path is absolute; paths are relative to the data folder"),
        ("file:///etc/hostname", "address lies below none of encoders.media_roots"),
        ("http://127.0.0.1:1/a.x", "address lies below none of encoders.media_roots"),
        ("a\0b", "path holds a zero byte"),
        ("x" * 300, "file cannot be read"),
        ("x/" * 3_000, "file cannot be read"),
        (".", "not a regular file"),
    ],
)
def test_a_path_that_names_no_file_says_so(tmp_path, modality, path, why):
    assert reason(modality, tmp_path, path) == why


@EVERY
@pytest.mark.parametrize("count", [0, 1, 2, 16])
def test_a_file_of_next_to_nothing_is_no_medium(tmp_path, modality, count):
    (tmp_path / "a.x").write_bytes(b"\0" * count)
    said = reason(modality, tmp_path, "a.x")
    assert said == "file is empty" if count == 0 else "not a" in said


@EVERY
def test_a_file_may_have_as_many_bytes_as_the_limit(originals, tmp_path, modality):
    good(originals, modality, tmp_path / "a.x")
    size = (tmp_path / "a.x").stat().st_size
    assert len(decode(modality, tmp_path, "a.x", max_bytes=size)) >= 1
    assert reason(modality, tmp_path, "a.x", max_bytes=size - 1) == "file is too large"


def test_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / "a.x", "wb") as file:
        file.truncate(2**40)  # takes no room on disk
    started = time.monotonic()
    assert reason(Modality.VIDEO, tmp_path, "a.x") == "file is too large"
    assert time.monotonic() - started < 1


@EVERY
def test_a_file_that_nobody_may_read_is_refused(originals, tmp_path, modality, monkeypatch):
    good(originals, modality, tmp_path / "a.x")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    # Permissions do not bind whoever runs tests as root.
    monkeypatch.setattr("builtins.open", refuse)
    assert reason(modality, tmp_path, "a.x") == "file cannot be read"


@pytest.mark.parametrize(
    ("modality", "path", "why"),
    [
        (Modality.IMAGE, "good.mp3", "not a picture of a known format"),
        (Modality.IMAGE, "good.mp4", "not a picture of a known format"),
        (Modality.AUDIO, "good.mp4", "file holds no sound"),
        (Modality.VIDEO, "good.mp3", "file holds no film"),
    ],
)
def test_a_medium_of_another_kind_is_refused(originals, modality, path, why):
    assert reason(modality, originals, path) == why


def test_many_threads_decode_what_one_does(originals):
    expected = {modality: decode(modality, originals, f"good.{ENDINGS[modality]}")
                for modality in SHAPES}  # fmt: skip
    wrong = []

    def work():
        for modality, arrays in expected.items():
            if not np.array_equal(decode(modality, originals, f"good.{ENDINGS[modality]}"), arrays):
                wrong.append(modality)  # fmt: skip

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
