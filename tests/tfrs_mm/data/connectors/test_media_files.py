import io
import json
import os

import connector_downloads as downloads
import pytest

from tfrs_mm.data.connectors.media_files import MediaTaker, read_media_map, scan_folders
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality


@pytest.fixture
def root(tmp_path):
    folder = downloads.write_files(
        tmp_path / "media", {"a.JPG": b"a", "notes.txt": b"", "b.mp3": b"b"}
    )
    downloads.write_files(folder / "deep", {"a.png": b"second", "c.mp4": b"c"})
    downloads.write_files(folder / "deep" / "deeper", {"d.jpg": b"d"})
    return folder


def taker(found, tmp_path, mode="link"):
    (tmp_path / "out").mkdir(exist_ok=True)
    file = io.StringIO()
    return MediaTaker(found, tmp_path / "out", mode, Rejects(file)), file


def test_a_folder_and_those_in_it_are_searched_and_no_deeper(root):
    found = {
        m: {n: f.relative for n, f in files.items()} for m, files in scan_folders([root]).items()
    }
    assert found == {
        Modality.IMAGE: {"a": "a.JPG"},
        Modality.AUDIO: {"b": "b.mp3"},
        Modality.VIDEO: {"c": "deep/c.mp4"},
    }


@pytest.mark.parametrize(("mode", "same"), [("link", True), ("copy", False)])
def test_files_are_linked_or_copied(root, tmp_path, mode, same):
    taking, _ = taker(scan_folders([root]), tmp_path, mode)
    cells = taking.take("a", ("a",))
    assert cells == {"image_path": "images/a.jpg", "audio_path": "", "video_path": ""}
    assert taking.take("a", ("a",)) == cells  # an item that comes twice
    target = tmp_path / "out" / "images" / "a.jpg"
    assert target.read_bytes() == b"a" and os.path.samefile(target, root / "a.JPG") == same
    assert not target.is_symlink()
    assert taking.counts()["image files taken"] == 1


def test_no_id_leads_out_of_the_output(root, tmp_path):
    odd = ["../../x", "/etc/passwd", "..", "a b", "ä" * 200]
    table = "item_id,image_path\n" + "".join(f"{item},a.JPG\n" for item in odd)
    map_path = downloads.write_files(tmp_path, {"map.csv": table}) / "map.csv"
    file = io.StringIO()
    found = read_media_map(map_path, root, Rejects(file))
    taking, _ = taker(found, tmp_path)
    paths = [taking.take(item, (item,))["image_path"] for item in odd]
    assert paths[:4] == [
        "images/..%2F..%2Fx.jpg", "images/%2Fetc%2Fpasswd.jpg", "images/...jpg", "images/a%20b.jpg",
    ]  # fmt: skip
    assert all((tmp_path / "out" / path).is_file() for path in paths)
    assert {path.parent for path in (tmp_path / "out").rglob("*.jpg")} == {
        tmp_path / "out" / "images"
    }


def test_no_path_leads_out_of_the_media_folder(root, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    table = "item_id,image_path\n1,../secret.jpg\n2,link.jpg\n3,/etc/passwd\n4,none.jpg\n5,deep\n"
    map_path = downloads.write_files(tmp_path, {"map.csv": table}) / "map.csv"
    taking, file = taker(read_media_map(map_path, root, Rejects(io.StringIO())), tmp_path)
    for _ in range(2):  # each is told once
        assert {taking.take(str(n), (str(n),))["image_path"] for n in range(1, 6)} == {""}
    assert [json.loads(line)["reason"] for line in file.getvalue().splitlines()] == [
        "path leaves the data folder",
        "path leaves the data folder through a symbolic link",
        "path is absolute; paths are relative to the data folder",
        "file does not exist",
        "file does not exist",
    ]


def test_another_file_system_is_the_users_to_decide(root, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UserError, match="Pass --media-mode copy"):
        taker(scan_folders([root]), tmp_path)[0].take("a", ("a",))


def test_a_map_without_its_columns_is_refused(root, tmp_path):
    downloads.write_files(tmp_path, {"map.csv": "item_id,path\n", "other.csv": "id,image_path\n"})
    with pytest.raises(UserError, match="must have a column out of"):
        read_media_map(tmp_path / "map.csv", root, Rejects(io.StringIO()))
    with pytest.raises(UserError, match="must name"):
        read_media_map(tmp_path / "other.csv", root, Rejects(io.StringIO()))
