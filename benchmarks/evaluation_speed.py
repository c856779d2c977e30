"""Exact evaluation of a corpus by ranks and by lists, against `tfrs.metrics.FactorizedTopK`.

All start from the same query and item vectors of one target each, and end with Recall@10, @20 and
@100; ours leave out what each user has had, which FactorizedTopK cannot. They run in turn, and
before it is looked whether all find the same recall where nothing is left out. FactorizedTopK runs
as its documentation builds it, over a data set of item vectors in batches of 128, and as it is
fastest, over the brute-force layer; the figure is that of the former. It is told the ids of the
targets: without them it compares scores of two computations, and a target that differs in the last
bit counts as an item before itself. Run it by hand, while nothing else runs:
`python benchmarks/evaluation_speed.py`.
"""

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from child_runs import print_figure, spread

from tfrs_mm.evaluation.evaluate import rank_queries
from tfrs_mm.evaluation.metrics import query_metrics
from tfrs_mm.evaluation.ranks import rank_metrics, relevant_ranks
from tfrs_mm.index import ExactIndex

tfrs = importlib.import_module("tensorflow_recommenders")  # after tfrs_mm has chosen Keras 2
_CUTS = (10, 20, 100)
_METRICS = tuple(("recall", k) for k in _CUTS)
_ITEM_BATCH = 128  # as in the documentation
_QUERY_BATCH = 256
_TARGET = 20.0  # times as fast
_SAME = 1e-6  # of recalls; FactorizedTopK averages in float32
RANKS, LISTS, STREAMED, BRUTE = (
    "our ranks", "our lists", "FactorizedTopK, data set", "FactorizedTopK, brute force",
)  # fmt: skip


class Task:
    """Vectors of queries and items, a target of each query near it, and what is left out."""

    def __init__(self, items: int, queries: int, dim: int, seen: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.items = generator.normal(size=(items + 1, dim)).astype(np.float32)
        self.items[0] = 0.0
        self.ids = np.arange(1, items + 1)
        self.targets = generator.integers(1, items + 1, queries)
        noise = 2.0 * generator.normal(size=(queries, dim))
        self.queries = (self.items[self.targets] + noise).astype(np.float32)
        drawn = generator.integers(1, items + 1, (queries, seen)).astype(np.int32)
        self.seen = [rows[rows != own] for rows, own in zip(drawn, self.targets, strict=True)]
        self.nothing = [np.zeros(0, np.int32)] * queries
        self.relevant = [np.array([row]) for row in self.targets]
        self.index = ExactIndex(self.items)
        layer = tfrs.layers.factorized_top_k.BruteForce(k=max(_CUTS))
        self.brute = layer.index(self.items[1:], self.ids)

        @tf.function
        def search(query: tf.Tensor, excluded: tf.Tensor, buckets: tf.Tensor) -> tuple:
            del buckets
            return self.index.search(query, excluded, max(_CUTS))

        self._search = search

    def by_ranks(self, seen: list[np.ndarray]) -> np.ndarray:
        """`[len(_CUTS)]` recalls, without lists."""
        ranks = relevant_ranks(self.queries, self.items, self.relevant, seen)
        return rank_metrics(ranks, _METRICS).mean(axis=0)

    def by_lists(self, seen: list[np.ndarray]) -> np.ndarray:
        """The same from the best hundred items of each query."""
        buckets = np.zeros(len(self.queries), np.int32)
        ranked = rank_queries(self._search, self.queries, seen, buckets, _QUERY_BATCH, "lists")
        return query_metrics(ranked.rows, self.relevant, _METRICS).mean(axis=0)

    def streamed(self) -> np.ndarray:
        """The same by FactorizedTopK over a data set."""
        rows = tf.data.Dataset.from_tensor_slices((self.ids, self.items[1:]))
        return self._factorized(rows.batch(_ITEM_BATCH))

    def brute_force(self) -> np.ndarray:
        """The same by FactorizedTopK over the brute-force layer."""
        return self._factorized(self.brute)

    def _factorized(self, candidates: object) -> np.ndarray:
        metric = tfrs.metrics.FactorizedTopK(candidates, ks=_CUTS)
        # All queries at once: it goes through the whole corpus for each batch of them.
        metric.update_state(self.queries, self.items[self.targets], self.targets)
        return np.array([float(value) for value in metric.result()])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--seen", type=int, default=50, help="items left out for each query")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    task = Task(arguments.items, arguments.queries, arguments.dim, arguments.seen, arguments.seed)
    recalls = {
        RANKS: task.by_ranks(task.nothing),
        LISTS: task.by_lists(task.nothing),
        STREAMED: task.streamed(),
        BRUTE: task.brute_force(),
    }
    for name, found in recalls.items():
        figures = [f"recall@{k} {value:.4f}" for k, value in zip(_CUTS, found, strict=True)]
        print(f"{name:<28} {', '.join(figures)}")
        if np.abs(found - recalls[RANKS]).max() > _SAME:
            raise RuntimeError(f"{name} finds {found}, but {RANKS} {recalls[RANKS]}.")

    forms: dict[str, Callable[[], np.ndarray]] = {
        RANKS: lambda: task.by_ranks(task.seen),
        LISTS: lambda: task.by_lists(task.seen),
        STREAMED: task.streamed,
        BRUTE: task.brute_force,
    }
    for warm in (RANKS, LISTS):  # shapes with exclusions; the others have run as they will
        forms[warm]()
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(arguments.turns):
        for name, evaluate in forms.items():
            started = time.perf_counter()
            evaluate()
            seconds[name].append(time.perf_counter() - started)
    print(f"{'':<28} {'seconds (min / median / max)':>30} {'times as long as ranks':>24}")
    ratios = {
        name: [of / ours for of, ours in zip(taken, seconds[RANKS], strict=True)]
        for name, taken in seconds.items()
    }
    for name, taken in seconds.items():
        print(f"{name:<28} {spread(taken):>30} {spread(ratios[name]):>24}")
    ratio = statistics.median(ratios[STREAMED])
    return 0 if print_figure("evaluation_speed_up", ratio, _TARGET, ratio >= _TARGET) else 1


if __name__ == "__main__":
    sys.exit(main())
