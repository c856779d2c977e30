"""Events and catalogues for tests of the behaviour job, and what it made of them, in ids."""

import collections
import dataclasses
import pathlib

import numpy as np

from pipelines import behaviour
from tfrs_mm.config import Config
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import Schema

KINDS = ["leave_one_out", "temporal"]
HEADER = "user_id,item_id,event,timestamp\n"
Event = tuple[str, str, str, str]  # user, item, event, timestamp


def config_of(kind: str = "leave_one_out", **data: object) -> Config:
    """Without statistics of the input and of pairs, which have tests of their own."""
    settings = {"shards": 3, "max_history": 6, "time_buckets": 4, "split": kind}
    settings |= {"statistics": False, "transition_window": 0, **data}
    return Config().with_overrides({f"data.{name}": value for name, value in settings.items()})


def random_events(seed: int = 7) -> list[Event]:
    """600 events of 45 users with ties and repeats; some have one or two, one has all items."""
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.minimum(generator.zipf(1.4, 600), 45))
    items, times = generator.integers(0, 40, 600), generator.integers(0, 60, 600)
    names = generator.choice(["view", "buy", ""], 600)
    return [
        (f"user {user}", f"{item:03d}", str(name), f"{time}.5" if user % 2 else str(time))
        for user, item, name, time in zip(users, items, names, times, strict=True)
    ]


def write_input(
    folder: pathlib.Path, events: list[Event], logs: int = 1, items: int = 40
) -> pathlib.Path:
    """The input folder of these events; `log-0.csv` and so on where there are several logs."""
    folder.mkdir(parents=True)
    rows = [",".join(event) + "\n" for event in events]
    for log in range(logs):
        part = rows[len(rows) * log // logs : len(rows) * (log + 1) // logs]
        name = "interactions.csv" if logs == 1 else f"log-{log}.csv"
        (folder / name).write_text(HEADER + "".join(part))
    catalogue = "".join(f"{item:03d},Title,{'x|y' if item % 2 else 'x'}\n" for item in range(items))
    (folder / "items.csv").write_text("item_id,title,genres\n" + catalogue)
    return folder


@dataclasses.dataclass
class Made:
    """A finished job, its records as ids.

    Attributes:
        train: targets `(user, item, second)`; so are `valid` and `test`.
        windows: `(user, items, names of events, which are targets)`.
        queries: by split and user, the items of `history` and `seen`.
    """

    folder: pathlib.Path
    report: dict
    train: list[tuple]
    valid: list[tuple]
    test: list[tuple]
    windows: list[tuple]
    queries: dict[str, dict]


def run_job(
    input_dir: pathlib.Path, folder: pathlib.Path, config: Config, base: pathlib.Path | None = None
) -> Made:
    folder.mkdir(parents=True)
    report = behaviour.run(input_dir, folder, config, (), base)
    schema = Schema(behaviour.behaviour_features(folder, config), config.data.max_history)
    users, items, names = (
        Vocabulary.read(folder / "vocabulary" / f"{name}.txt").ids
        for name in ("users", "items", "events")
    )
    read = read_windows(folder, schema)
    keys = ("user", "history/item", "history/time", "history/event", "is_target")
    windows = list(zip(*(read[key] for key in keys), strict=True))
    train = [
        (users[user - 1], items[item - 1], int(time))
        for user, rows, times, _, targets in windows
        for item, time in zip(rows[targets], times[targets], strict=True)
    ]
    cuts = [
        (
            users[user - 1],
            tuple(items[row - 1] for row in rows[rows > 0]),
            tuple(names[row - 1] for row in events[rows > 0]),
            tuple(targets[rows > 0].tolist()),
        )
        for user, rows, _, events, targets in windows
    ]
    asked, queries = {}, {}
    for name in ("valid", "test", "users"):
        read = read_queries(folder, schema, name)
        asked[name], queries[name] = [], {}
        for place, user in enumerate(users[row - 1] for row in read.user):
            of = slice(*read.targets.splits[place : place + 2])
            targets, times = read.targets.values[of], read.target_times.values[of]
            asked[name] += [
                (user, items[i - 1], int(t)) for i, t in zip(targets, times, strict=True)
            ]
            seen = read.seen.values[slice(*read.seen.splits[place : place + 2])]
            length = read.history_length[place]
            queries[name][user] = {
                "history": [items[row - 1] for row in read.history_items[place, :length]],
                "seen": [items[row - 1] for row in seen],
            }
    return Made(folder, report, train, asked["valid"], asked["test"], cuts, queries)


def splits_by_hand(events: list[Event], kind: str) -> dict[str, list[tuple]]:
    """The rule in plain Python, one event after another."""
    kept, had = [], set()
    for user, item, _, time in sorted(events, key=lambda event: float(event[3])):  # stable
        if (user, item) not in had:
            had.add((user, item))
            kept.append((user, item, int(float(time))))
    if kind == "temporal":
        a, b = int(len(kept) * 0.8), int(len(kept) * 0.9)
        known = {user for user, _, _ in kept[:a]}
        return {
            "train": kept[:a],
            "valid": [event for event in kept[a:b] if event[0] in known],
            "test": [event for event in kept[b:] if event[0] in known],
        }
    split: dict[str, list[tuple]] = {"train": [], "valid": [], "test": []}
    of_user = collections.defaultdict(list)
    for event in kept:
        of_user[event[0]].append(event)
    for own in of_user.values():
        cut = len(own) - 2 if len(own) >= 3 else len(own)
        split["train"] += own[:cut]
        split["valid"] += own[cut : cut + 1]
        split["test"] += own[cut + 1 :]
    return split
