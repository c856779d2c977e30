import hashlib
import pathlib
import pickle
import shutil

import media_world
import memory_files
import pytest

from pipelines import behaviour, media, media_inputs
from pipelines.input_folder import InputFolder
from pipelines.media_files import MediaFiles
from tfrs_mm.errors import UserError
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality

CONTENTS = {
    "items.csv": b"item_id\na\n",
    "logs/1.csv": b"user_id,item_id,timestamp\nu,a,1\n",
    "logs/old/0.csv": b"user_id,item_id,timestamp\nu,a,0\n",
    "pictures/a [1].jpg": b"\xff\xd8",
    "empty.jpg": b"",
}


@pytest.fixture(params=["disk", "elsewhere"])
def folder(request, tmp_path, monkeypatch):
    """The same files on a disk and on another file system."""
    if request.param == "elsewhere":
        files = {f"mem://shop/films/{name}": data for name, data in CONTENTS.items()}
        files |= {"mem://shop/films-secret/items.csv": b"secret", "mem://shop/x": b"secret"}
        monkeypatch.setattr(memory_files, "FILES", files)
        return InputFolder.of("mem://shop/films/")
    for name, data in CONTENTS.items():
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "x").write_bytes(b"secret")
    return InputFolder.of(tmp_path / "films")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("logs/*.csv", ["logs/1.csv"]),
        ("**/*.csv", ["items.csv", "logs/1.csv", "logs/old/0.csv"]),
        ("logs/**/*.csv", ["logs/1.csv", "logs/old/0.csv"]),
        ("items.csv", ["items.csv"]),
        ("*.tsv", []),
        ("logs", []),
    ],
)
def test_a_glob_finds_the_same_files_wherever_they_lie(folder, pattern, names):
    found = folder.files(pattern, "data.interactions")
    assert [file.name for file in found] == names
    assert [file.size_bytes for file in found] == [len(CONTENTS[name]) for name in names]


def test_everything_is_listed_with_its_size(folder):
    found = {file.name: file.size_bytes for file in folder.everything()}
    assert found == {name: len(data) for name, data in CONTENTS.items()}


def test_a_file_is_found_read_and_hashed(folder):
    file = pickle.loads(pickle.dumps(folder)).file("items.csv", "data.items")
    assert (file.name, file.size_bytes) == ("items.csv", 10)
    assert file.sha256() == hashlib.sha256(b"item_id\na\n").digest()
    assert folder.read("pictures/a [1].jpg", max_bytes=2) == b"\xff\xd8"


def test_files_are_put_on_a_disk_side_by_side(folder):
    files = [folder.file(name, "file") for name in ("items.csv", "logs/1.csv")]
    with folder.on_disk(*files) as path:
        assert path.read_bytes() == CONTENTS["items.csv"]
        if not folder.is_local:
            assert (path.parent / "1.csv").read_bytes() == CONTENTS["logs/1.csv"]


@pytest.mark.parametrize("name", ["", " ", "../x", "logs/../../x", "/etc/passwd", "mem://shop/x"])
def test_a_name_that_leaves_the_folder_is_refused(folder, name):
    with pytest.raises(UserError, match=r"`data\.items` must lie below the input folder"):
        folder.file(name, "data.items")
    with pytest.raises(UserError, match=r"`data\.interactions` must lie below"):
        folder.files(name, "data.interactions")
    with pytest.raises(MediaError, match=r"path |file does not exist"):
        folder.read(name, max_bytes=100)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone.jpg", "file does not exist"),
        ("empty.jpg", "file is empty"),
        ("items.csv", "file is too large"),
        ("a\0b", "path holds a zero byte"),
    ],
)
def test_a_medium_that_cannot_be_read_says_why(folder, name, why):
    with pytest.raises(MediaError, match=why):
        folder.read(name, max_bytes=9)


def test_a_table_that_is_not_there_is_named(folder):
    with pytest.raises(UserError, match=r"`data\.items` is 'gone\.csv', but .*/gone\.csv does not"):
        folder.file("gone.csv", "data.items")


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("/nowhere/at/all", "does not exist"),
        (pathlib.Path("mem://shop"), "has lost a slash"),
        ("nobody-knows-it://shop", r"cannot be read: .*gs:// needs apache-beam\[gcp\]"),
    ],
)
def test_a_place_that_is_no_folder_is_refused(place, fault):
    with pytest.raises(UserError, match=fault):
        InputFolder.of(place)


def test_a_fault_of_the_file_system_is_told(monkeypatch):
    def fail(*_):
        raise OSError("the bucket is closed")

    monkeypatch.setattr(memory_files.MemoryFiles, "_list", fail)
    monkeypatch.setattr(memory_files.MemoryFiles, "exists", fail)
    folder = InputFolder.of("mem://shop/films")
    with pytest.raises(UserError, match="the bucket is closed"):
        folder.files("*.csv", "data.interactions")
    with pytest.raises(UserError, match="the bucket is closed"):
        folder.file("items.csv", "data.items")
    with pytest.raises(MediaError, match="file cannot be read"):
        folder.read("a.jpg", max_bytes=10)


def test_an_address_in_a_cell_must_lie_below_a_root_of_the_configuration(tmp_path, monkeypatch):
    files = {"mem://shop/media/a.jpg": b"a", "mem://shop/media-secret/b.jpg": b"b"}
    monkeypatch.setattr(memory_files, "FILES", files)
    (tmp_path / "c.jpg").write_bytes(b"c")
    media = pickle.loads(pickle.dumps(MediaFiles.of(tmp_path, ["mem://shop/media"])))
    assert media.read("mem://shop/media/a.jpg", max_bytes=10) == b"a"
    assert media.read("c.jpg", max_bytes=10) == b"c"
    for cell in ("mem://shop/media-secret/b.jpg", "mem://shop/media", "http://shop/a.jpg"):
        with pytest.raises(MediaError, match=r"below none of encoders\.media_roots"):
            media.read(cell, max_bytes=10)
    with pytest.raises(MediaError, match="path leaves the data folder"):
        media.read("mem://shop/media/../media-secret/b.jpg", max_bytes=10)


def test_both_jobs_read_another_file_system_as_they_read_a_disk(
    shop, encoders, tmp_path, monkeypatch
):
    log = "".join(f"u{n % 5},{media_world.IDS[n % 23]},{n}\n" for n in range(60))
    address = "mem://shop/films"
    config = media_world.small_config(data__interactions="logs/*.csv", data__shards=2)
    local = tmp_path / "local"
    shutil.copytree(shop, local)
    (local / "logs").mkdir()
    (local / "logs/day.csv").write_text("user_id,item_id,timestamp\n" + log)
    files = {
        f"{address}/{path.relative_to(local).as_posix()}": path.read_bytes()
        for path in local.rglob("*")
        if path.is_file()
    }
    monkeypatch.setattr(memory_files, "FILES", files)
    contents = []
    for name, source in (("disk", local), ("memory", address)):
        output = tmp_path / name
        output.mkdir()
        report = behaviour.run(source, output, config)
        assert report["train"] > 0
        sources = {Modality.IMAGE: media_inputs.read_source(encoders[Modality.IMAGE])}
        schema = media_inputs.item_schema(output / "vocabulary", config, sources)
        chosen = {Modality.IMAGE: encoders[Modality.IMAGE]}
        assert media.run(source, output, config, chosen, schema)["items"] == 23
        contents.append({
            path.relative_to(output).as_posix(): path.read_bytes()
            for path in sorted(output.rglob("*"))
            if path.is_file() and path.name != "report.json"
        })  # fmt: skip
    assert contents[0].keys() == contents[1].keys()
    assert [name for name in contents[0] if contents[0][name] != contents[1][name]] == []
