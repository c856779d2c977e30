import errno
import os
import shutil

import pytest

from tfrs_mm.artefacts import (
    fingerprint_of,
    fingerprint_tree,
    read_manifest,
    whole_directory,
    whole_file,
    write_manifest,
)
from tfrs_mm.errors import UserError, full_disk


def test_the_order_of_keys_is_no_part_of_a_fingerprint():
    assert (
        fingerprint_of({"a": 1, "b": 2})
        == fingerprint_of({"b": 2, "a": 1})
        != fingerprint_of({"a": 1, "b": 3})
    )


def test_a_folder_appears_whole(tmp_path):
    with whole_directory(tmp_path / "out") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "x").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_appears_whole_or_stays_what_it_was(tmp_path):
    path = tmp_path / "x"
    with whole_file(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError("half-way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_nothing_and_keeps_what_was_there(tmp_path):
    with whole_directory(tmp_path / "out") as folder:
        (folder / "x").write_text("old")
    with pytest.raises(RuntimeError), whole_directory(tmp_path / "out", overwrite=True) as folder:
        (folder / "x").write_text("new")
        raise RuntimeError("half-way")
    assert (tmp_path / "out" / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_folder_is_replaced_only_if_asked(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("old")
    with pytest.raises(UserError, match="not empty"), whole_directory(tmp_path / "out"):
        pass
    with whole_directory(tmp_path / "out", overwrite=True) as folder:
        (folder / "y").write_text("new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["y"]


def test_a_manifest_of_another_kind_or_origin_is_refused(tmp_path):
    fingerprint = write_manifest(tmp_path, "data", {"input": "abc"}, note="read me")
    manifest = read_manifest(tmp_path, "data", {"input": "abc"})
    assert manifest["fingerprint"] == fingerprint
    with pytest.raises(UserError, match="must be a run folder"):
        read_manifest(tmp_path, "run")
    with pytest.raises(UserError, match="made from input abc, but input xyz is in use"):
        read_manifest(tmp_path, "data", {"input": "xyz"})
    with pytest.raises(UserError, match="is no data folder"):
        read_manifest(tmp_path / "nowhere", "data")


def test_facts_beside_it_do_not_change_the_fingerprint(tmp_path):
    first = write_manifest(tmp_path, "data", {"input": "abc"}, seconds=1)
    assert first == write_manifest(tmp_path, "data", {"input": "abc"}, seconds=2)
    assert first != write_manifest(tmp_path, "run", {"input": "abc"})


def test_a_tree_is_its_names_and_contents(tmp_path):
    (tmp_path / "a").write_text("1")
    first = fingerprint_tree(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = fingerprint_tree(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, fingerprint_tree(tmp_path)}) == 3


def test_what_a_dead_process_left_is_cleared_away_and_what_a_living_one_writes_stays(tmp_path):
    abandoned = tmp_path / ".data.0123abcd.tmp"
    abandoned.mkdir()
    (abandoned / "half.txt").write_text("half")
    others = tmp_path / ".data-2.0123abcd.tmp"
    others.mkdir()
    (others / "half.txt").write_text("half")
    with whole_directory(tmp_path / "data") as first:
        (first / "a.txt").write_text("a")
        assert not abandoned.exists()
        with whole_directory(tmp_path / "data") as second:
            (second / "b.txt").write_text("b")
            assert first.is_dir()  # somebody writes it
        shutil.rmtree(tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == [others.name, "data"]
    assert (tmp_path / "data" / "a.txt").is_file()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_user_error_that_names_the_file(tmp_path, code):
    with pytest.raises(UserError, match=r"disk is full.* no space for .*a\.json"):
        with whole_directory(tmp_path / "data") as folder:
            with whole_file(folder / "a.json"):
                raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError):
        with whole_directory(tmp_path / "data"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_a_full_disk_is_known_by_the_text_of_any_error_behind_an_error():
    first = RuntimeError("OSError: [Errno 28] No space left on device: '/d/x' [while running 'W']")
    second = RuntimeError("the job failed")
    second.__cause__, first.__cause__ = first, second  # a ring, as interrupts make them
    assert "/d/x" in str(full_disk(second))
    assert full_disk(RuntimeError("no room")) is None
