import pytest

from tfrs_mm.artefacts import (
    fingerprint_of,
    fingerprint_tree,
    read_manifest,
    whole_directory,
    whole_file,
    write_manifest,
)
from tfrs_mm.errors import UserError


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
