import json
import types

import pytest

from pipelines.job_report import check_report, report_of
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError


class Finished:
    """The result of a job that counted this: `{namespace: {name: number}}`."""

    def __init__(self, counts: dict[str, dict[str, int | None]]) -> None:
        self._counts = counts

    def metrics(self) -> "Finished":
        return self

    def query(self, metrics_filter) -> dict[str, list]:
        (namespace,) = metrics_filter.namespaces
        return {
            "counters": [
                types.SimpleNamespace(
                    key=types.SimpleNamespace(metric=types.SimpleNamespace(name=name)),
                    result=number,
                )
                for name, number in self._counts.get(namespace, {}).items()
            ]
        }


def check(tmp_path, counts: dict, settings: DataConfig, rejects: list[dict] = ()) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(reject) + "\n" for reject in rejects))
    result = Finished(counts)
    check_report(result, report_of(result), settings, ["a.csv"], path)


def test_a_counter_that_stayed_at_zero_is_zero_on_every_runner():
    report = report_of(Finished({"behaviour": {"events read": 3, "events rejected": None}}))
    assert report["events read"] == 3
    assert report["events rejected"] == report["train"] == 0
    assert report["reasons"] == {}


def test_a_share_of_rejects_that_is_just_allowed_passes(tmp_path):
    counts = {"behaviour": {"events read": 10, "events rejected": 2, "train": 8}}
    check(tmp_path, counts, DataConfig(max_reject_share=0.2))


def test_too_many_rejects_name_the_most_frequent_reasons_and_a_place_of_each(tmp_path):
    reasons = {"a": 1, "b": 3, "c": 2, "d": 2}
    counts = {
        "behaviour": {"events read": 10, "events rejected": 8, "train": 2},
        "behaviour/reasons": reasons,
    }
    rejects = [
        {"reason": reason, "where": f"a.csv:{reason}{n}"} for reason in "abcd" for n in range(3)
    ]
    with pytest.raises(UserError) as caught:
        check(tmp_path, counts, DataConfig(max_reject_share=0.2), rejects)
    assert "8 of 10 events" in str(caught.value)
    assert "b (3, such as a.csv:b0); c (2, such as a.csv:c0); d (2, such as a.csv:d0)." in str(
        caught.value
    )


def test_a_log_that_was_not_read_to_its_end_is_an_error_whatever_was_read(tmp_path):
    counts = {
        "behaviour": {"events read": 10, "train": 10},
        "behaviour/faults": {"a.csv is cut off": 1},
    }
    with pytest.raises(UserError, match=r"^a\.csv is cut off$"):
        check(tmp_path, counts, DataConfig())


@pytest.mark.parametrize(
    ("counted", "kind", "fault"),
    [
        ({}, "leave_one_out", "hold no event"),
        ({"events read": 4, "train": 0}, "temporal", "left to train on"),
        (
            {"events read": 4, "train": 0, "events outside the core": 4},
            "temporal",
            "clean away less: {'events outside the core': 4}",
        ),
        (
            {"events read": 4, "train": 3, "events without time": 1},
            "temporal",
            "1 events of .* no timestamp",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(tmp_path, counted, kind, fault):
    with pytest.raises(UserError, match=fault):
        check(tmp_path, {"behaviour": counted}, DataConfig(split=kind))


def test_times_may_be_missing_where_each_user_is_cut_alone(tmp_path):
    counts = {"behaviour": {"events read": 4, "train": 3, "events without time": 4}}
    check(tmp_path, counts, DataConfig())


@pytest.mark.parametrize(
    "settings", [{"session_gap_minutes": 30.0}, {"time_features": True}, {"split": "temporal"}]
)
def test_what_speaks_of_times_needs_the_time_of_every_event(tmp_path, settings):
    counts = {"behaviour": {"events read": 4, "train": 3, "events without time": 1}}
    (name,) = settings
    with pytest.raises(UserError, match=rf"`data\.{name}` is .*1 events of .* have no timestamp"):
        check(tmp_path, counts, DataConfig(**settings))
