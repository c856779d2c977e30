import json

import pytest

from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema


def make_schema() -> Schema:
    return Schema(
        (
            FeatureSpec("user", Owner.USER, Kind.ID, 11),
            FeatureSpec("item", Owner.ITEM, Kind.ID, 21),
            FeatureSpec("video", Owner.ITEM, Kind.MEDIA, 8),
            FeatureSpec("image", Owner.ITEM, Kind.MEDIA, 4),
            FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, 5, 3),
        ),
        50,
        (("image", "abc"),),
    )


def test_modalities_keep_their_own_order_whatever_the_features():
    assert make_schema().modalities == (Modality.IMAGE, Modality.VIDEO)


def test_row_zero_is_counted_in_no_number_of_items():
    assert (make_schema().num_items, make_schema().num_users) == (20, 10)


def test_it_reads_back_what_it_wrote(tmp_path):
    make_schema().write(tmp_path / "schema.json")
    assert Schema.read(tmp_path / "schema.json") == make_schema()


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / "schema.json"
    make_schema().write(path)
    value = json.loads(path.read_text())
    value["max_history"] = 7
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match="The file was changed"):
        Schema.read(path)


def test_another_encoder_is_another_schema():
    schema = make_schema()
    other = Schema(schema.features, schema.max_history, (("image", "xyz"),))
    assert schema.fingerprint() != other.fingerprint()


def test_keys_of_a_modality():
    assert (Modality.AUDIO.embedding_key, Modality.AUDIO.present_key) == (
        "audio/embedding",
        "audio/present",
    )
