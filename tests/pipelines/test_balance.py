"""That every event that was read is counted once, wherever it went."""

import json

import behaviour_world as world
import numpy as np
import pytest

from pipelines.balance import PARTS, balance_of

# Kinds, spans and thresholds that make every part of the balance occur in the logs below.
CLEANED = {
    "events": ["view=1", "buy=5", "hate=-1"], "near_duplicate_seconds": 2.0,
    "max_events_per_hour": 50, "min_user_events": 2, "min_item_events": 7, "max_reject_share": 0.9,
}  # fmt: skip


def messy_events(seed: int) -> list[world.Event]:
    """500 events, many of them twice or nearly so, some broken, with a robot among the users."""
    generator = np.random.default_rng(seed)
    events = []
    for _ in range(350):
        user, item = generator.integers(0, 30), generator.integers(0, 43)  # three are unknown
        name = str(generator.choice(["view", "buy", "hate", "stare"], p=[0.5, 0.3, 0.15, 0.05]))
        events.append((f"user {user}", f"{item:03d}", name, str(generator.integers(0, 90) * 900)))
    for place in generator.integers(0, 350, 90):
        user, item, name, time = events[place]
        events.append((user, item, name, str(int(time) + int(generator.integers(0, 4)))))
    events += [("robot", f"{item % 40:03d}", "view", str(item)) for item in range(60)]
    return [events[place] for place in generator.permutation(len(events))]


def test_the_balance_is_what_is_read_less_all_parts():
    report = {"events read": 100} | dict.fromkeys(PARTS, 1)
    balance = balance_of(report)
    assert balance["unaccounted"] == 100 - len(PARTS)
    assert list(balance) == ["events read", *PARTS, "unaccounted"]


@pytest.mark.parametrize("kind", world.KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_of_a_messy_log_is_accounted_for(tmp_path, kind, seed):
    events = messy_events(seed)
    config = world.config_of(kind, **CLEANED)
    made = world.run_job(world.write_input(tmp_path / "in", events), tmp_path / "out", config)
    balance = made.report["balance"]
    assert balance["events read"] == len(events)
    assert balance["unaccounted"] == 0
    for name in ("events rejected", "negative events", "events of robots", "exact duplicates",
                 "near duplicates", "repeats dropped", "events outside the core", "train", "valid",
                 "test"):  # fmt: skip
        assert balance[name] > 0, name
    for name in ("train", "valid", "test"):
        assert balance[name] == len(getattr(made, name))
    weights = json.loads((made.folder / "vocabulary" / "event_weights.json").read_text())
    assert weights == {"view": 1.0, "buy": 5.0, "hate": -1.0}


def test_duplicates_are_counted_apart_from_repeats(tmp_path):
    rows = [("000", "view", "10"), ("000", "view", "10"), ("000", "view", "12"),
            ("000", "buy", "12"), ("001", "view", "13"), ("002", "view", "14")]  # fmt: skip
    folder = world.write_input(tmp_path / "in", [("u", *row) for row in rows])
    config = world.config_of(near_duplicate_seconds=2.0)
    report = world.run_job(folder, tmp_path / "out", config).report
    # The second is the first again, the third is near the first; bought was the item anew.
    counted = [report[f"{name} duplicates"] for name in ("exact", "near")]
    assert counted == [1, 1]
    assert report["repeats dropped"] == 1
    assert [report[name] for name in ("train", "valid", "test")] == [1, 1, 1]
