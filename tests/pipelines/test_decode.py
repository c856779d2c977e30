import pickle

import numpy as np
import pyarrow as pa
import pytest

from pipelines.decode import cells_of, clean_text, decoder_of, item_text
from pipelines.media_files import MediaFiles
from tfrs_mm.config import EncoderConfig
from tfrs_mm.errors import UserError
from tfrs_mm.media import MediaError
from tfrs_mm.media.writing import write_jpeg, write_mp3, write_mp4
from tfrs_mm.schema import Modality


@pytest.mark.parametrize(
    ("title", "description", "expected"),
    [
        ("Night train", "A short film", "Night train. A short film"),
        ("Who?", "Nobody.", "Who? Nobody."),
        ("End.", "Begin", "End. Begin"),
        ("Only", "", "Only"),
        ("", "Only", "Only"),
        (" ", "<br/>", ""),
    ],
)
def test_title_and_description_become_sentences(title, description, expected):
    assert item_text(title, description) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p class='x'>Red&nbsp;&amp; blue</p><!-- a\nb -->wine", "Red & blue wine"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("tab\tline\r\nend\x00\x7f", "tab line end"),
        ("&lt;b&gt; stays", "<b> stays"),
        ("Älter 東京", "Älter 東京"),
        ("&#0;&#xD800;x", "\ufffd\ufffdx"),
    ],
)
def test_markup_entities_and_control_characters_go(text, expected):
    assert clean_text(text) == expected


def test_cells_are_stripped_and_absent_columns_are_empty():
    items = pa.RecordBatch.from_pydict({"title": ["A", None], "image_path": [" a.jpg ", None]})
    assert cells_of(items, Modality.IMAGE) == ["a.jpg", ""]
    assert cells_of(items, Modality.TEXT) == ["A", ""]
    assert cells_of(items, Modality.VIDEO) == ["", ""]


@pytest.mark.parametrize(
    ("modality", "input_shape", "cell", "shape", "dtype"),
    [
        (Modality.IMAGE, [None, 24, 24, 3], "a.jpg", (1, 24, 24, 3), np.uint8),
        (Modality.VIDEO, [None, 16, 16, 3], "a.mp4", (2, 16, 16, 3), np.uint8),
        (Modality.AUDIO, [None, 187, 96], "a.mp3", (1, 187, 96), np.float32),
        (Modality.TEXT, [None], "a b", (1,), object),
    ],
)
def test_a_cell_becomes_what_the_encoder_takes(tmp_path, modality, input_shape, cell, shape, dtype):
    write_jpeg(tmp_path / "a.jpg", np.zeros([30, 40, 3], np.uint8))
    write_mp4(tmp_path / "a.mp4", np.zeros([8, 32, 32, 3], np.uint8), fps=4)
    write_mp3(tmp_path / "a.mp3", np.zeros(16_000, np.float32), 16_000)
    decode = decoder_of(modality, input_shape, MediaFiles.of(tmp_path), EncoderConfig(frames=2))
    arrays = pickle.loads(pickle.dumps(decode))(cell)
    assert (arrays.shape, arrays.dtype) == (shape, dtype)


def test_a_text_is_utf8_bytes(tmp_path):
    assert decoder_of(Modality.TEXT, [None], MediaFiles.of(tmp_path), EncoderConfig())(
        "é"
    ).tolist() == ["é".encode()]


@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.AUDIO, Modality.VIDEO])
@pytest.mark.parametrize("path", ["../a.jpg", "/etc/hostname", "b/../../a.jpg"])
def test_a_path_that_leaves_the_folder_is_never_read(tmp_path, modality, path):
    (tmp_path / "in").mkdir()
    write_jpeg(tmp_path / "a.jpg", np.zeros([8, 8, 3], np.uint8))
    shape = [None, 187, 96] if modality is Modality.AUDIO else [None, 16, 16, 3]
    with pytest.raises(MediaError, match="path"):
        decoder_of(modality, shape, MediaFiles.of(tmp_path / "in"), EncoderConfig())(path)


@pytest.mark.parametrize(
    ("modality", "input_shape"),
    [
        (Modality.IMAGE, [None, 24, 32, 3]),
        (Modality.IMAGE, [None]),
        (Modality.TEXT, [None, 3]),
        (Modality.AUDIO, [None, 187]),
        (Modality.AUDIO, [None, 200, 96]),
    ],
)
def test_an_encoder_with_other_inputs_is_refused(tmp_path, modality, input_shape):
    with pytest.raises(UserError, match=f"the encoder of {modality}"):
        decoder_of(modality, input_shape, MediaFiles.of(tmp_path), EncoderConfig())
