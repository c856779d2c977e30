import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.commands.encoders import prepare_encoders
from tfrs_mm.config import Config
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

KINDS = ("image", "text", "audio", "video")


@dataclasses.dataclass
class TextsOnly:
    """Stands for a catalogue's sample: some texts, of which some can be read, and nothing else."""

    readable: int = 12

    def has(self, modality):
        return modality is Modality.TEXT

    def arrays(self, modality, input_shape):
        assert (modality, input_shape) == (Modality.TEXT, (None,))
        words = ["sea", "king", "disco", "moon"]
        return [np.array([f"{words[i % 4]} {i}".encode()], object) for i in range(self.readable)]


def config(**kinds):
    small = {f"encoders.{name}.{key}": value for name in KINDS for key, value in
             (("small_dim", 8), ("small_size_px", 32), ("small_epochs", 1))}  # fmt: skip
    return Config().with_overrides(
        small | {f"encoders.{name}.kind": kind for name, kind in kinds.items()}
    )


def test_without_weights_auto_trains_a_small_one_and_says_why(tmp_path):
    folders, notes = prepare_encoders(
        config(), tmp_path / "weights", tmp_path / "encoders", TextsOnly(), tmp_path
    )
    assert folders == {Modality.TEXT: tmp_path / "encoders" / "text"}
    info = EncoderFolder.read(folders[Modality.TEXT])
    assert (info.kind, info.dim, info.modality) == ("small", 8, Modality.TEXT)
    served = tf.saved_model.load(folders[Modality.TEXT]).signatures["serving_default"]
    assert served(inputs=tf.constant(["sea"]))["embedding"].shape == (1, 8)
    told = dict(note.split(": ", 1) for note in notes)
    assert (
        "small encoder trained on 12 items" in told["text"]
        and "no weights of minilm" in told["text"]
    )
    assert all("catalogue has none" in told[name] for name in ("image", "audio", "video"))


def test_an_encoder_that_is_not_wanted_is_left_out(tmp_path):
    folders, notes = prepare_encoders(
        config(text="none"), tmp_path / "weights", tmp_path / "encoders", TextsOnly(), tmp_path
    )
    assert folders == {} and any("kind is none" in note for note in notes)


def test_too_few_readable_media_leave_the_modality_out(tmp_path):
    folders, notes = prepare_encoders(
        config(text="small"),
        tmp_path / "weights",
        tmp_path / "encoders",
        TextsOnly(readable=3),
        tmp_path,
    )
    assert folders == {} and any("too few" in note for note in notes)


def test_pretrained_without_weights_names_the_command(tmp_path):
    with pytest.raises(UserError, match="tfrs-mm weights --output"):
        prepare_encoders(
            config(text="pretrained"),
            tmp_path / "weights",
            tmp_path / "encoders",
            TextsOnly(),
            tmp_path,
        )
    assert not (tmp_path / "encoders").exists()


def test_with_weights_auto_takes_the_pretrained_one(tmp_path, weights_dir):
    folders, notes = prepare_encoders(
        config(), weights_dir, tmp_path / "encoders", TextsOnly(), tmp_path
    )
    info = EncoderFolder.read(folders[Modality.TEXT])
    assert (info.kind, info.name, info.dim) == ("pretrained", "minilm", 384)
    assert any(note == "text: pretrained minilm" for note in notes)
