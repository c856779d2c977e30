"""Recall of items that training has never met, among themselves and among all items.

The protocol is that of `tfrs_mm/evaluation/cold_protocol.py`. First `prepare` writes what may be
learnt from: a folder like the given one with the events of warm items alone. A run is trained on it
as on any other data, with leave-one-out splits, which leave out the last event of each user with
three or more and the one before:

    python benchmarks/cold_items.py prepare --input DATA --output WARM
    tfrs-mm preprocess --input WARM --output DATA-FOLDER ...
    tfrs-mm train --data DATA-FOLDER --output RUN ...
    python benchmarks/cold_items.py measure --run RUN --input DATA --cold 0.17 --all 0.035

`--tune` plays the same with another tenth of the items as the cold ones, those of the reported
tenth left out entirely: for choosing settings. It is given to both commands.
"""

import argparse
import csv
import pathlib
import shutil
import sys
from collections.abc import Sequence

import numpy as np
from child_runs import print_figure

from tfrs_mm.artefacts import whole_directory
from tfrs_mm.errors import UserError
from tfrs_mm.evaluation.cold_protocol import (
    ColdEvent,
    Interactions,
    cold_events,
    event_ranks,
    is_cold,
    learnt_from,
    recall_of_events,
)
from tfrs_mm.ranking import bucket_of
from tfrs_mm.training.run import Run, load_run
from tfrs_mm.training.validation import ranking_function, retrieval_function

_K = 20
_LOG, _ITEMS = "interactions.csv", "items.csv"


def prepare(source: pathlib.Path, target: pathlib.Path, cold: int, without: int | None) -> None:
    """Writes the folder that is learnt from, whole or not at all.

    Media are copied: the jobs follow no link that leads out of a folder.
    """
    kept = {
        _LOG: lambda item: learnt_from(item, cold, without),
        _ITEMS: lambda item: without is None or not is_cold(item, without),
    }
    with whole_directory(target) as folder:
        ignored = shutil.ignore_patterns(*kept)
        shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
        for name, keep in kept.items():
            with (
                open(source / name, newline="", encoding="utf-8") as read,
                open(folder / name, "w", newline="", encoding="utf-8") as written,
            ):
                reader = csv.DictReader(read)
                writer = csv.DictWriter(written, reader.fieldnames, lineterminator="\n")
                writer.writeheader()
                rows = [row for row in reader if keep(row["item_id"])]
                writer.writerows(rows)
                print(f"{target / name}: {len(rows)} rows")


def read_log(path: pathlib.Path, time_column: str) -> Interactions:
    """The log of a data set."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not rows[0].get(time_column):
        raise UserError(
            f"{path} has nothing in the column {time_column!r}. Give --time-column, such as order."
        )
    columns = ([row[name] for row in rows] for name in ("user_id", "item_id"))
    return Interactions.of_columns(*columns, [float(row[time_column]) for row in rows])


class Model:
    """One stage of a run, asked for scores of candidates."""

    def __init__(self, run: Run, stage: str) -> None:
        schema, knowledge = run.knowledge.schema, run.knowledge
        self._stage, self._edges = stage, knowledge.counts.time_edges
        self._vectors, self._model = run.item_vectors, run.model
        self._max_history = schema.max_history
        self._row_of = {str(id_): row for row, id_ in enumerate(knowledge.catalogue.item_ids)}
        make = retrieval_function if stage == "retrieval" else ranking_function
        self._recommend = make(run.model, _K)

    def __call__(self, events: Sequence[ColdEvent], candidates: np.ndarray) -> np.ndarray:
        """See `event_ranks`; of the ranking stage, items behind the first 20 score -inf."""
        history = np.zeros((len(events), self._max_history), np.int32)
        for line, event in zip(history, events, strict=True):
            rows = [self._row_of[item] for item in event.history[-self._max_history :]]
            line[: len(rows)] = rows
        if self._stage == "retrieval":
            scores = self._model.query_model(history).numpy() @ self._vectors.T
            return scores if scores.ndim == 2 else scores.max(axis=1)
        excluded = np.where(candidates, 0, np.arange(candidates.shape[1])).astype(np.int32)
        buckets = bucket_of(np.array([event.time for event in events]), self._edges)
        found = self._recommend(history, excluded, buckets)
        scores = np.full(candidates.shape, -np.inf, np.float32)
        # By place, not by score: the list breaks ties, and row 0 fills empty places.
        places = -np.arange(_K, dtype=np.float32)
        np.put_along_axis(scores, found.rows.numpy(), places[None], axis=1)
        scores[:, 0] = -np.inf
        return scores


def measure(arguments: argparse.Namespace, cold: int, without: int | None) -> int:
    """Prints the figures of every stage; 0 if those of the last one meet their targets."""
    run = load_run(arguments.run, arguments.data)
    if run.config.ranking.profiles and "ranking" in arguments.stage:
        raise UserError(
            f"{arguments.run} has `ranking.profiles`, but the events of this protocol come without "
            "profiles. Give --stage retrieval, or train without them."
        )
    item_ids = run.knowledge.catalogue.item_ids
    learnt = [
        str(item_ids[row])
        for row in np.flatnonzero(run.knowledge.warm)
        if is_cold(str(item_ids[row]), cold)
    ]
    if learnt:
        raise UserError(
            f"{arguments.run} was trained on events of {len(learnt)} cold items, such as "
            f"{learnt[:3]}. Train it on the folder that `prepare` writes."
        )
    log = read_log(arguments.input / _LOG, arguments.time_column)
    events = cold_events(log, cold, without)
    users = [event.user for event in events]
    num_cold = sum(is_cold(str(item_id), cold) for item_id in item_ids[1:])
    print(f"{len(events)} events of {len(set(users))} users, {num_cold} cold items")
    targets = {"among_cold": arguments.cold, "among_all": arguments.all}
    met = []
    for stage in arguments.stage:
        met = []
        for name, ranks in event_ranks(Model(run, stage), events, item_ids, cold).items():
            value, low, high = recall_of_events(ranks, users, _K)
            print(f"{stage}: recall@{_K} {name} {value:.4f} [{low:.4f}, {high:.4f}]")
            figure = f"cold_{stage}_recall@{_K}_{name}"
            met.append(print_figure(figure, value, targets[name], value >= targets[name]))
    return 0 if all(met) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    preparing, measuring = commands.add_parser("prepare"), commands.add_parser("measure")
    for of in (preparing, measuring):
        of.add_argument("--input", type=pathlib.Path, required=True, help="the whole data set")
        of.add_argument("--tune", action="store_true", help="another tenth is cold")
    preparing.add_argument("--output", type=pathlib.Path, required=True)
    measuring.add_argument("--run", type=pathlib.Path, required=True)
    measuring.add_argument("--data", type=pathlib.Path, default=None, help="if it was moved")
    measuring.add_argument(
        "--stage", nargs="+", choices=["retrieval", "ranking"], default=["retrieval"]
    )
    measuring.add_argument("--time-column", default="timestamp")
    measuring.add_argument("--cold", type=float, default=0.170, help="target among cold items")
    measuring.add_argument("--all", type=float, default=0.035, help="target among all items")
    arguments = parser.parse_args()
    cold, without = (1, 0) if arguments.tune else (0, None)
    try:
        if arguments.command == "prepare":
            prepare(arguments.input, arguments.output, cold, without)
            return 0
        return measure(arguments, cold, without)
    except UserError as error:
        print(f"{pathlib.Path(__file__).name}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
