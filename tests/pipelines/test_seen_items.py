"""Items that are not to be recommended, against the raw log."""

import behaviour_world as world
import numpy as np
import pytest
from hypothesis import given, settings
from timelines_world import DISLIKE, mixed_logs, timelines_of

from pipelines.seen_items import seen_items


def seen_by_hand(log: list[tuple], moment: tuple, with_disliked: bool) -> list:
    """What a user had and disliked before, of `(time, position, disliked, item)`."""
    before = [event for event in sorted(log) if event[:2] < moment]
    had = [item for *_, disliked, item in before if not disliked]
    hated = [item for *_, disliked, item in before if disliked]
    return list(dict.fromkeys(had + hated * with_disliked))


@pytest.mark.parametrize("with_disliked", [False, True])
@settings(deadline=None)
@given(events=mixed_logs)
def test_seen_is_what_was_had_or_disliked_before(with_disliked, events):
    timelines = timelines_of(events, exclude_negatives=True)
    logs, firsts = {}, {}
    for position, (user, name, item, time) in enumerate(events):
        logs.setdefault(user, []).append((time, position, name == DISLIKE, item))
    for user, log in logs.items():
        for time, position, disliked, item in sorted(log):
            if not disliked:
                firsts.setdefault((user, item), (time, position))
    end = (max((time for *_, time in events), default=0) + 1, 0)
    users = np.arange(len(timelines.user_ids))
    for back in range(3):  # events behind the cut
        cuts = np.maximum(timelines.ends - back, timelines.starts)
        seen = seen_items(timelines, users, cuts, with_disliked)
        for user, cut, rows in zip(users, cuts, seen, strict=True):
            name, at_end = timelines.user_ids[user], cut == timelines.ends[user]
            moment = end if at_end else firsts[name, timelines.items[cut]]
            assert rows.tolist() == seen_by_hand(logs[name], moment, with_disliked)


@pytest.mark.parametrize("kind", world.KINDS)
def test_a_job_leaves_out_what_was_disliked_before(tmp_path, kind):
    events = [
        (user, item, "hate" if place % 3 == 0 else "view", time)
        for place, (user, item, _, time) in enumerate(world.random_events())
    ]
    kinds = {"events": ["view=1", "hate=-1"]}
    folder = world.write_input(tmp_path / "in", events)
    plain = world.run_job(folder, tmp_path / "plain", world.config_of(kind, **kinds))
    config = world.config_of(kind, exclude_negatives=True, **kinds)
    made = world.run_job(folder, tmp_path / "out", config)
    logs = {}
    for position, (user, item, name, time) in enumerate(events):
        logs.setdefault(user, []).append((float(time), position, name == "hate", item))
    added = 0
    for name in ("valid", "test", "users"):
        assert set(made.queries[name]) == set(plain.queries[name])
        for user, query in made.queries[name].items():
            assert query["history"] == plain.queries[name][user]["history"]
            had = plain.queries[name][user]["seen"]
            # The cut lies right before the first item that is not seen, or behind everything.
            later = {item for *_, bad, item in logs[user] if not bad} - set(had)
            moment = min(
                (event[:2] for event in logs[user] if not event[2] and event[3] in later),
                default=(np.inf, 0),
            )
            assert query["seen"] == seen_by_hand(logs[user], moment, True)
            added += len(query["seen"]) - len(had)
    assert added > 0
    assert (made.train, made.valid, made.test) == (plain.train, plain.valid, plain.test)
    assert made.report["balance"] == plain.report["balance"]
    negatives = [made_.folder / "behaviour" / "negatives.parquet" for made_ in (plain, made)]
    assert negatives[0].read_bytes() == negatives[1].read_bytes()
