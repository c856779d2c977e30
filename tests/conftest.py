"""Shared worlds for the tests: a data folder with known tastes, and a run trained on it."""

import pathlib

import hypothesis
import numpy as np
import pytest

import tfrs_mm  # noqa: F401  (selects legacy Keras before anything else touches tf.keras)
from tfrs_mm.artefacts import write_json, write_manifest
from tfrs_mm.config import Config, load_config
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.item_neighbours import ItemNeighbours, NeighbourTables
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema

REPOSITORY = pathlib.Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared"
NUM_ITEMS, NUM_USERS, NUM_CLASSES, MAX_HISTORY = 60, 80, 4, 12

# The same examples every time, so that the tests say of a change what they said before it; `pytest
# --hypothesis-profile explore` draws others.
hypothesis.settings.register_profile("repeat", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("repeat")

# In this order and before all others, so that no process is left alone with a long one at the end.
LONG = ("test_end_to_end.py", "test_first_look.py", "test_strategy.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session")
def shared_dir() -> pathlib.Path:
    """The folder of real data sets and golden values beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real data sets is not beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def weights_dir() -> pathlib.Path:
    """The folder of pretrained encoder weights, where somebody installed them."""
    import os

    folder = pathlib.Path(os.environ.get("TFRS_MM_WEIGHTS_DIR", REPOSITORY / "weights"))
    if not folder.is_dir():
        pytest.skip(f"no pretrained weights in {folder}; install them with `tfrs-mm weights`")
    return folder


def tiny_config(**overrides: object) -> Config:
    """The `tiny` preset, with overrides by dotted path (`__` for the dot)."""
    return load_config(preset="tiny").with_overrides(
        {name.replace("__", "."): value for name, value in overrides.items()}
    )


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A data folder as the jobs would write it: each user likes one class of items.

    Items of class c have a picture near the c-th axis and the category c + 1; every eighth item has
    no picture; items 57 to 60 have no event in training.
    """
    folder = tmp_path_factory.mktemp("world") / "data"
    write_world(folder)
    return folder


def write_world(folder: pathlib.Path, seed: int = 3) -> Schema:
    """Writes the world of `data_dir`."""
    generator = np.random.default_rng(seed)
    schema = Schema(
        (
            FeatureSpec("user", Owner.USER, Kind.ID, NUM_USERS + 1),
            FeatureSpec("item", Owner.ITEM, Kind.ID, NUM_ITEMS + 1),
            FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, 2),
            FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, NUM_CLASSES + 1, 8),
            FeatureSpec(Modality.IMAGE.value, Owner.ITEM, Kind.MEDIA, 24),
            FeatureSpec(Modality.TEXT.value, Owner.ITEM, Kind.MEDIA, 24),
        ),
        MAX_HISTORY,
        (("image", "fake-image"), ("text", "fake-text")),
    )
    for part in ("vocabulary", "behaviour", "items"):
        (folder / part).mkdir(parents=True)
    spec = ExamplesSpec(schema)
    item_ids = tuple(f"item-{row}" for row in range(1, NUM_ITEMS + 1))
    user_ids = tuple(f"user-{row}" for row in range(1, NUM_USERS + 1))
    Vocabulary(item_ids).write(folder / "vocabulary" / "items.txt")
    Vocabulary(user_ids).write(folder / "vocabulary" / "users.txt")
    Vocabulary(("view",)).write(folder / "vocabulary" / "events.txt")
    Vocabulary(tuple(f"genre-{c}" for c in range(NUM_CLASSES))).write(
        folder / "vocabulary" / "genres.txt"
    )

    classes = np.arange(NUM_ITEMS + 1) % NUM_CLASSES
    axes = np.eye(24)
    items = []
    for row in range(1, NUM_ITEMS + 1):
        has_image = row % 8 != 0
        picture = 3 * axes[classes[row]] + 0.3 * generator.normal(size=24)
        items.append(
            spec.item.encode(
                {
                    "item": row,
                    "item_id": item_ids[row - 1].encode(),
                    "title": f"Title {row}".encode(),
                    "image/embedding": picture if has_image else np.zeros(24),
                    "image/present": int(has_image),
                    "text/embedding": 3 * axes[classes[row] + 8] + 0.3 * generator.normal(size=24),
                    "text/present": 1,
                    "genres": [int(classes[row]) + 1],
                }
            )
        )
    write_tfrecord(folder / "items" / shard_name("items", 0, 1), items)

    warm = np.arange(1, NUM_ITEMS + 1) <= 56
    records: dict[str, list[bytes]] = {"train": [], "valid": [], "test": [], "users": []}
    events: list[tuple[int, int]] = []
    for user in range(1, NUM_USERS + 1):
        liked = [row for row in range(1, NUM_ITEMS + 1) if classes[row] == user % NUM_CLASSES]
        generator.shuffle(liked)
        train_rows = [row for row in liked if warm[row - 1]][:8]
        rest = [row for row in liked if row not in train_rows]
        rows = train_rows + rest[:2]
        times = (1_000 * user + 10 * np.arange(len(rows))).tolist()
        history = {
            "history/item": train_rows,
            "history/time": times[: len(train_rows)],
            "history/event": [1] * len(train_rows),
        }
        events += list(zip(train_rows, times, strict=False))
        records["train"].append(spec.window.encode({"user": user, "first_target": 0, **history}))
        for name, cut in (("valid", len(rows) - 2), ("test", len(rows) - 1), ("users", len(rows))):
            records[name].append(
                spec.query.encode(
                    {
                        "user": user,
                        "history/item": rows[:cut],
                        "history/time": times[:cut],
                        "history/event": [1] * cut,
                        "target/item": rows[cut : cut + 1],
                        "target/time": times[cut : cut + 1],
                        "seen/item": rows[:cut],
                    }
                )
            )
    for name, encoded in records.items():
        write_tfrecord(folder / "behaviour" / shard_name(name, 0, 1), encoded)
    _write_counts(folder / "behaviour" / "item_counts.npz", events)
    rows = [row for row, _ in events]
    timelines = [rows[start : start + 8] for start in range(0, len(rows), 8)]
    _write_neighbours(folder / "behaviour" / "item_neighbours.npz", timelines, item_ids)
    schema.write(folder / "schema.json")
    write_json(folder / "config.json", tiny_config().to_dict())
    write_manifest(folder, "data", {"input": f"seed {seed}"}, schema=schema.fingerprint())
    return schema


def _write_counts(path: pathlib.Path, events: list[tuple[int, int]]) -> None:
    rows, times = (np.array(column) for column in zip(*events, strict=True))
    edges = np.unique(np.quantile(times, np.linspace(0, 1, 9)).astype(np.int64))
    edges[-1] += 1
    counts = np.zeros((NUM_ITEMS + 1, len(edges) - 1), np.int32)
    np.add.at(counts, (rows, np.searchsorted(edges, times, side="right") - 1), 1)
    first = np.full(NUM_ITEMS + 1, -1, np.int64)
    last = np.full(NUM_ITEMS + 1, -1, np.int64)
    for row, time in sorted(events, key=lambda event: event[1]):
        first[row] = time if first[row] < 0 else first[row]
        last[row] = time
    ItemCounts(edges, counts, first, last).write(path)


def _write_neighbours(
    path: pathlib.Path, timelines: list[list[int]], item_ids: tuple[str, ...]
) -> None:
    """Both kinds of statistics of `data.transition_window` 8 and `data.transition_half_life` 2."""
    following = np.zeros((NUM_ITEMS + 1, NUM_ITEMS + 1))
    for rows in timelines:
        for place, row in enumerate(rows):
            for steps, later in enumerate(rows[place + 1 : place + 9]):
                following[row, later] += 2.0 ** (-steps / 2.0)
    kinds = []
    for weights in (following + following.T, following):
        weights = weights.astype(np.float32)  # before they are ordered, so that ties are ties
        order = np.lexsort((np.tile(np.arange(NUM_ITEMS + 1), (NUM_ITEMS + 1, 1)), -weights))
        ordered = np.take_along_axis(weights, order, axis=1)[:, :20]
        neighbours = np.where(ordered > 0, order[:, :20], 0).astype(np.int32)
        kinds.append(ItemNeighbours(neighbours, ordered, weights.sum(1)))
    NeighbourTables(*kinds, {"items": Vocabulary(item_ids).fingerprint()}).write(path)


@pytest.fixture(scope="session")
def run_dir(data_dir: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run trained on `data_dir` with the `tiny` preset."""
    from tfrs_mm.training.train import train

    folder = tmp_path_factory.mktemp("runs") / "run"
    train(data_dir, folder, tiny_config())
    return folder
