import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.encoder_settings import argument_faults, arguments_of, pair_faults, pairs_of
from tfrs_mm.schema import Modality


def test_pairs_are_two_modalities():
    assert pairs_of(["image=text", " audio = video "]) == [
        (Modality.IMAGE, Modality.TEXT), (Modality.AUDIO, Modality.VIDEO)
    ]  # fmt: skip
    assert pair_faults(["image=text", "audio=video"], "s") == []


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (["image"], "must be two modalities"),
        (["image=image"], "must be two modalities"),
        (["image=smell"], "must be two modalities"),
        (["image=text=audio"], "must be two modalities"),
        (["image=text", "text=audio"], "text must be in one pair"),
        ([""], "must be two modalities"),
    ],
)
def test_what_pairs_nothing_or_pairs_twice_is_told(entries, fault):
    (line,) = pair_faults(entries, "encoders.cca")
    assert line.startswith("encoders.cca: ") and fault in line


def test_arguments_are_values_in_toml_or_bare_words():
    entries = ["a=[1, 2]", "b = true", "c=1.5", "d=word", 'e="quoted"', "f=x=y"]
    assert argument_faults(entries, "s") == []
    assert arguments_of(entries) == {
        "a": [1, 2], "b": True, "c": 1.5, "d": "word", "e": "quoted", "f": "x=y"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (["a"], 'must be "name=value"'),
        (["=3"], 'must be "name=value"'),
        (["a="], 'must be "name=value"'),
        (["a b=3"], 'must be "name=value"'),
        (["input_shape=[1, 2, 3]"], "is not for the configuration"),
        (["a=1", "a=2"], "a must have one value"),
    ],
)
def test_what_gives_no_argument_a_value_is_told(entries, fault):
    (line,) = argument_faults(entries, "encoders.image.backbone_arguments")
    assert line.startswith("encoders.image.backbone_arguments: ") and fault in line


@given(st.lists(st.text(max_size=12), max_size=4))
def test_no_text_is_taken_that_cannot_be_read(entries):
    if not argument_faults(entries, "s"):
        assert len(arguments_of(entries)) == len(entries)
    if not pair_faults(entries, "s"):
        assert len(pairs_of(entries)) == len(entries)
