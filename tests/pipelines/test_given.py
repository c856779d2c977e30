import json

import numpy as np
import pytest

from pipelines.given import GivenEmbeddings, describe_given, given_files
from tfrs_mm.config import DataConfig, EncoderConfig
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

DATA = DataConfig()


def write_npz(path, values, ids=("a", "b")):
    np.savez(path, item_ids=np.array(ids, str), embeddings=np.array(values, np.float32))


def described(folder, tmp_path, **settings):
    return describe_given(
        Modality.IMAGE,
        EncoderConfig(kind="given", **settings),
        folder,
        DATA,
        tmp_path / "described",
    )


@pytest.fixture
def folder(tmp_path):
    """An input folder with embeddings in a file and in a column."""
    home = tmp_path / "in"
    home.mkdir()
    write_npz(home / "v.npz", [[1, 2, 3], [4, 5, 6]])
    (home / "items.csv").write_text('item_id,v\na,"[1, 2]"\nb,"[3, 4, 5]"\nc,1|2\nd,\n')
    return home


def test_a_description_comes_back_as_it_was_written(folder, tmp_path):
    given = described(folder, tmp_path, file="v.npz")
    assert (given.modality, given.dim, given.file, given.column) == ("image", 3, "v.npz", "")
    assert GivenEmbeddings.read(tmp_path / "described") == given
    given.check(folder, DATA)


def test_the_most_frequent_length_is_the_dimension(folder, tmp_path):
    assert described(folder, tmp_path, column="v").dim == 2


def test_of_two_lengths_that_are_equally_frequent_the_smaller_counts(folder, tmp_path):
    (folder / "items.csv").write_text('item_id,v\na,"[1, 2, 3]"\nb,"[3, 4]"\n')
    assert described(folder, tmp_path, column="v").dim == 2


def test_the_fingerprint_is_of_the_content_and_not_of_its_place(folder, tmp_path):
    first = described(folder, tmp_path / "1", file="v.npz")
    (folder / "v.npz").rename(folder / "w.npz")
    assert described(folder, tmp_path / "2", file="w.npz").fingerprint == first.fingerprint
    write_npz(folder / "w.npz", [[1, 2, 3], [4, 5, 7]])
    assert described(folder, tmp_path / "3", file="w.npz").fingerprint != first.fingerprint


def test_ids_beside_an_array_belong_to_the_content(folder, tmp_path):
    np.save(folder / "v.npy", np.ones([2, 3]))
    (folder / "v.ids.txt").write_text("a\nb\n")
    first = described(folder, tmp_path / "1", file="v.npy")
    (folder / "v.ids.txt").write_text("b\na\n")
    assert described(folder, tmp_path / "2", file="v.npy").fingerprint != first.fingerprint
    with pytest.raises(UserError, match="was made from other embeddings"):
        first.check(folder, DATA)


def test_other_columns_of_the_catalogue_do_not_belong_to_the_content(folder, tmp_path):
    first = described(folder, tmp_path / "1", column="v")
    (folder / "items.csv").write_text('item_id,title,v\na,A,"[1,2]"\nb,B,"[3,4,5]"\nc,C,1|2\nd,,\n')
    first.check(folder, DATA)
    (folder / "items.csv").write_text('item_id,v\na,"[1, 2]"\nb,"[3, 4, 6]"\nc,1|2\nd,\n')
    with pytest.raises(UserError, match=r"than the column 'v' holds now"):
        first.check(folder, DATA)


def test_a_file_that_has_changed_is_noticed(folder, tmp_path):
    given = described(folder, tmp_path, file="v.npz")
    write_npz(folder / "v.npz", [[1, 2, 3], [4, 5, 7]])
    with pytest.raises(UserError, match=r"made from other embeddings than v\.npz holds now"):
        given.check(folder, DATA)


@pytest.mark.parametrize("path", ["../v.npz", "/etc/hostname", "link.npz"])
def test_a_file_outside_the_input_folder_is_refused(folder, tmp_path, path):
    write_npz(tmp_path / "v.npz", [[1], [2]])
    (folder / "link.npz").symlink_to(tmp_path / "v.npz")
    with pytest.raises(UserError, match=r"must lie below the input folder|leads out of the input"):
        described(folder, tmp_path, file=path)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"file": "gone.npz"}, r"gone\.npz does not exist"),
        ({"column": "gone"}, "no such column"),
        ({"file": "none.npz"}, r"none\.npz holds none"),
    ],
)
def test_embeddings_that_are_not_there_are_refused(folder, tmp_path, settings, fault):
    write_npz(folder / "none.npz", np.zeros([0, 3]), ids=())
    with pytest.raises(UserError, match=fault):
        described(folder, tmp_path, **settings)
    assert not (tmp_path / "described").exists()


def test_a_description_that_was_changed_is_refused(folder, tmp_path):
    described(folder, tmp_path, file="v.npz")
    path = tmp_path / "described" / "given.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dim": 4}))
    with pytest.raises(UserError, match="its fingerprint should be"):
        GivenEmbeddings.read(tmp_path / "described")


def test_the_files_that_count_are_named(folder):
    np.save(folder / "v.npy", np.ones([2, 3]))
    (folder / "v.ids.txt").write_text("a\nb\n")
    settings = EncoderConfig(kind="given", file="v.npy")
    assert [file.name for file in given_files(settings, folder)] == ["v.npy", "v.ids.txt"]
    assert given_files(EncoderConfig(kind="given", column="v"), folder) == []
    assert given_files(EncoderConfig(), folder) == []
