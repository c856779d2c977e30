import json

import pytest

from tfrs_mm.config import Config, config_from_dict, load_config
from tfrs_mm.errors import UserError


def test_the_base_preset_is_the_defaults():
    assert load_config() == Config()


def test_a_file_starts_from_its_preset_and_overrides_come_last(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('preset = "tiny"\n[retrieval]\ntemperature = 0.2\ndim = 24\n')
    config = load_config(path, ["retrieval.dim=32", "fusion.kind=concat", "ranking.hidden=[8, 4]"])
    tiny = load_config(preset="tiny")
    assert config.retrieval.temperature == 0.2
    assert config.retrieval.dim == 32
    assert config.fusion.kind == "concat"
    assert config.ranking.hidden == (8, 4)
    assert config.data == tiny.data != Config().data


def test_all_faults_are_reported_at_once():
    overrides = [
        "retrieval.temp=0.1",
        "data.split=random",
        "export.k=true",
        "ranking.hidden=[1, 'a']",
        "retrieval=3",
    ]
    with pytest.raises(UserError) as error:
        load_config(overrides=overrides[:4])
    for text in (
        "retrieval.temp: unknown",
        "data.split: must be one of 'leave_one_out', 'temporal', received 'random'",
        "export.k: must be a whole number, received True",
        "ranking.hidden: must be a list of int, received [1, 'a']",
    ):
        assert text in str(error.value)


def test_values_that_make_no_sense_are_reported_at_once():
    with pytest.raises(UserError) as error:
        Config().with_overrides(
            {
                "retrieval.dim": 7, "retrieval.temperature": 0, "export.k": 1000,
                "retrieval.recency_half_life": 3, "retrieval.time_gaps": 63,
                "retrieval.user_tower": "gru", "retrieval.lengths": [4],
                "training.jit_compile": True,
            }
        )  # fmt: skip
    for text in (
        "retrieval.time_gaps: must be from 0 to 62",
        "retrieval.lengths: must be empty where retrieval.user_tower is 'gru' and training.jit",
        "retrieval.recency_half_life: must be 0, or above 0 and finite where retrieval.user_tower",
        "retrieval.dim: must be a multiple",
        "temperature: must be above 0",
        "export.k: must be at most",
    ):
        assert text in str(error.value)


def test_it_survives_json(tmp_path):
    config = load_config(preset="tiny", overrides=["training.seed=7"])
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()))
    assert load_config(path) == config
    assert load_config(path).fingerprint() == config.fingerprint()


def test_a_section_has_a_fingerprint_of_its_own():
    config = Config()
    other = config.with_overrides({"retrieval.dim": 32})
    assert config.fingerprint("data") == other.fingerprint("data")
    assert config.fingerprint() != other.fingerprint()


@pytest.mark.parametrize("text", ["retrieval.dim", "=3"])
def test_an_override_without_a_key_and_a_value_is_refused(text):
    with pytest.raises(UserError, match="key=value"):
        load_config(overrides=[text])


def test_a_section_cannot_be_a_value():
    with pytest.raises(UserError, match="retrieval: is a section, received 3"):
        config_from_dict({"retrieval": 3})


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.toml does not exist"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[retrieval\n")
    with pytest.raises(UserError, match=r"bad\.toml cannot be read"):
        load_config(tmp_path / "bad.toml")


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(UserError, match=r"'base'.*'tiny'"):
        load_config(preset="huge")


def test_anomalies_that_no_rule_finds_cannot_be_errors():
    with pytest.raises(UserError, match="must be a list of 'no title', 'no media'"):
        load_config(overrides=["data.anomaly_errors=['no luck']"])
    config = load_config(overrides=["data.anomaly_errors=['no title', 'day drop']"])
    assert config.data.anomaly_errors == ("no title", "day drop")


def test_thresholds_of_anomalies_and_sizes_of_statistics_are_checked():
    with pytest.raises(UserError) as error:
        Config().with_overrides(
            {
                "data.anomaly_drop": 1.5,
                "data.anomaly_jump": -1,
                "data.statistics_values": 10,
                "data.statistics": False,
                "data.anomaly_stop": True,
            }
        )
    for text in (
        "data.anomaly_drop: must be from 0 to 1, received 1.5",
        "data.anomaly_jump: must be 0 or more, received -1.0",
        "data.statistics_values: must be at least 100, received 10",
        "data.statistics: must be true for data.anomaly_stop",
    ):
        assert text in str(error.value)


def test_spans_of_time_are_checked():
    with pytest.raises(UserError) as error:
        Config().with_overrides(
            {
                "data.near_duplicate_seconds": -1,
                "data.min_play_seconds": float("inf"),
                "data.session_gap_minutes": -0.5,
            }
        )
    for text in (
        "data.near_duplicate_seconds: must be 0 or more, and finite, received -1.0",
        "data.min_play_seconds: must be 0 or more, and finite, received inf",
        "data.session_gap_minutes: must be 0 or more, and finite, received -0.5",
    ):
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        ({"cold_item_share": 1.0}, "cold_item_share: must be at least 0 and below 1, received 1.0"),
        ({"cold_user_share": -0.1}, "cold_user_share: must be at least 0 and below 1"),
        ({"split_train_share": 0.0}, "split_train_share: must be above 0 and at most 1"),
        (
            {"split_train_share": 0.95},
            r"split_valid_share: must leave the sum .* \(0.95\) at most 1",
        ),
        ({"profile_category": "colour"}, "profile_category: must be one of data.category_columns"),
        ({"profile_half_life_days": 0}, "profile_half_life_days: must be above 0, and finite"),
        ({"profile_top": 0}, "profile_top: must be at least 1, received 0"),
        ({"split_gap_seconds": 5}, "split_gap_seconds: must be 0 unless data.split is 'temporal'"),
        ({"split_gap_seconds": -5, "split": "temporal"}, "split_gap_seconds: must be 0 or more"),
    ],
)
def test_splits_and_profiles_that_make_no_sense_are_refused(overrides, fault):
    with pytest.raises(UserError, match=rf"data\.{fault}"):
        Config().with_overrides({f"data.{name}": value for name, value in overrides.items()})


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        ({"fusion.kind": "attention", "fusion.heads": 5}, r"retrieval.dim: must be a multiple"),
        ({"fusion.heads": 0}, "fusion.heads: must be at least 1, received 0"),
        ({"fusion.imputation_ridge": 0}, "fusion.imputation_ridge: must be above 0, and finite"),
        ({"alignment.kind": "clip"}, "alignment.kind: must be one of 'none', 'infonce'"),
        ({"alignment.weight": -1}, "alignment.weight: must be 0 or more, and finite"),
        ({"alignment.temperature": 0}, "alignment.temperature: must be above 0"),
        ({"alignment.agreement": -1}, "alignment.agreement: must be 0 or more, and finite"),
        (
            {"alignment.kind": "cosine", "alignment.modalities": False,
             "alignment.behaviour": False},
            "alignment.behaviour: must be true where alignment.modalities is false",
        ),
        (
            {"fusion.oov_rows": 8, "fusion.id_dropout": 0.0},
            "fusion.oov_rows: must be 0 or more, and 0 where fusion.id_dropout is 0",
        ),
        (
            {"retrieval.loss": "gbce", "retrieval.negatives": "all"},
            "retrieval.loss: must be 'softmax' where retrieval.negatives is 'all'",
        ),
        (
            {"retrieval.negatives_queue": 10, "retrieval.negatives": "all"},
            "retrieval.negatives_queue: must be 0 where retrieval.negatives is 'all'",
        ),
        (
            {"retrieval.frequencies": "streaming", "retrieval.negatives": "all"},
            "retrieval.frequencies: must be 'counted' where retrieval.negatives is 'all'",
        ),
        (
            {"retrieval.frequency_rate": 1.0},
            "retrieval.frequency_rate: must be above 0 and below 1",
        ),
        (
            {"retrieval.hard_negatives": 4, "retrieval.negatives": "all"},
            "retrieval.hard_negatives: must be 0 where retrieval.negatives is 'all'",
        ),
        (
            {"retrieval.hard_negatives": 4, "retrieval.loss": "gbce"},
            "retrieval.hard_negatives: must be 0 where retrieval.loss is 'gbce'",
        ),
        ({"retrieval.gbce_calibration": 1.5}, "retrieval.gbce_calibration: must be from 0 to 1"),
    ],
)  # fmt: skip
def test_fusion_alignment_and_negatives_that_make_no_sense_are_refused(overrides, fault):
    with pytest.raises(UserError, match=fault):
        Config().with_overrides(overrides)
