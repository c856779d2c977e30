"""What the ranker learns from: positives among what retrieval returned for them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm.data.exposures import Exposures
from tfrs_mm.policy import TwoStage, would_return
from tfrs_mm.progress import Progress
from tfrs_mm.ranking import bucket_of
from tfrs_mm.towers import KINDS, TIMES

_SECONDS_PER_DAY = 86_400.0
_SECONDS_PER_HOUR = 3_600.0


@dataclasses.dataclass(frozen=True)
class RankingExamples:
    """One positive at place 0 and its negatives, with all that was known at the time.

    Attributes:
        query: `[examples, dim]` float32, or `[examples, interests, dim]`.
        history: `[examples, max_history]` int32.
        bucket: `[examples]` int32.
        candidates: `[examples, 1 + negatives]` int32; 0 where retrieval returned too few.
        retrieval_scores: the same shape, float32.
        own_event: the same shape, float32: with what weight item-to-item statistics know the
            positive's own event; 0 for negatives.
        event: `[examples]` int32, the positive's kind, a row of the vocabulary of kinds.
        places: `[examples, 2]`, the window that the positive lies in, and its place there.
        shown: `[examples]` bool, whether the negatives are what was shown beside the positive.
    """

    query: np.ndarray
    history: np.ndarray
    bucket: np.ndarray
    candidates: np.ndarray
    retrieval_scores: np.ndarray
    own_event: np.ndarray
    event: np.ndarray
    places: np.ndarray
    shown: np.ndarray

    def __len__(self) -> int:
        return len(self.query)


def newest_targets(windows: dict[str, np.ndarray], limit: int, of_a_user: int = 0) -> np.ndarray:
    """Places of the newest targets that have a history.

    Args:
        windows: of `read_windows`.
        limit: how many at most.
        of_a_user: how many at most of one user; 0 for any number.

    Returns:
        `[n, 2]`: window and place in it.
    """
    usable = windows["is_target"].copy()
    usable[:, 0] = False
    places = np.argwhere(usable)
    times = windows["history/time"][usable]
    newest = np.argsort(-times, kind="stable")
    if of_a_user:
        users = windows["user"][places[newest, 0]]
        by_user = np.argsort(users, kind="stable")
        starts = np.searchsorted(users[by_user], users[by_user])
        nth = np.empty(len(users), np.int64)
        nth[by_user] = np.arange(len(users)) - starts
        newest = newest[nth < of_a_user]
    return places[np.sort(newest[:limit])]


def mine_examples(
    model: TwoStage,
    windows: dict[str, np.ndarray],
    time_edges: np.ndarray,
    warm: np.ndarray,
    num_negatives: int,
    limit: int,
    batch_size: int,
    half_life_days: float,
    seed: int,
    of_a_user: int = 0,
    moments: Sequence[str] = (),
    exposures: Exposures | None = None,
    exposure_hours: float = 1.0,
) -> RankingExamples:
    """Asks the first stage at the time of each positive and draws negatives from its answer.

    Where `exposures` tell of items that the user was shown near that time, these are the negatives
    instead, the nearest in time, and the positive counts whatever retrieval returns: it stood
    beside them. None is of a time behind the user's last training event, where what validation asks
    for begins.

    A positive that retrieval would not have returned is left out: the ranker will never see its
    like, and it would only teach to distrust the order of retrieval.

    Nothing the user ever had in the training range is a negative, nor an item without any training
    event, which nobody could have had: it would teach that new items are bad. Popularity is known
    up to the last event before the positive.

    Args:
        model: the trained first stage.
        windows: of `read_windows`.
        time_edges: `[buckets + 1]` of the item counts.
        warm: `[items + 1]` bool, items with a training event.
        num_negatives: drawn of the candidates of each positive.
        limit: positives at most, the newest.
        batch_size: positives at a time.
        half_life_days: age that halves an event's weight in item-to-item statistics; 0 for none.
        seed: of the draws.
        of_a_user: positives of one user at most; 0 for any number.
        moments: columns of the windows that the towers are told of the moment of each positive.
        exposures: items that were shown and not taken; None for none.
        exposure_hours: how long before and behind a positive they count.
    """
    places = newest_targets(windows, limit, of_a_user)
    max_history = windows["history/item"].shape[1] - 1
    had = _items_of_users(windows)
    width = max((len(rows) for rows in had.values()), default=1)
    generator = np.random.default_rng(seed)

    newest = windows["history/time"].max()
    last_times = _last_times(windows)
    num_shown = min(num_negatives, model.num_candidates) if exposures is not None else 0

    @tf.function
    def ask(
        history: tf.Tensor,
        excluded: tf.Tensor,
        buckets: tf.Tensor,
        positive: tf.Tensor,
        own_event: tf.Tensor,
        contexts: dict[str, tf.Tensor],
        shown: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        request = model.request(history, excluded, buckets, contexts)
        found, by_source = model.candidates(request)
        scores = [s.score(request, positive, own_event) for s in model.sources]
        returned = [would_return(*pair) for pair in zip(by_source, scores, strict=True)]
        return (
            request.query, found.rows, found.scores, scores[0][:, 0],
            tf.reduce_any(tf.concat(returned, axis=1), axis=1),
            model.towers.score(request, shown, tf.zeros(tf.shape(shown))),
        )  # fmt: skip

    parts = []
    with Progress("mine negatives", total=len(places), unit="positives") as progress:
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            size = len(chosen)
            history = np.zeros((batch_size, max_history), np.int32)
            contexts = {
                name: np.zeros((batch_size, max_history), windows[name].dtype)
                for name in (TIMES, KINDS)
            }
            excluded = np.zeros((batch_size, width), np.int32)
            for name in moments:
                column = windows[name][chosen[:, 0], chosen[:, 1]]
                contexts[name] = np.zeros((batch_size, *column.shape[1:]), column.dtype)
                contexts[name][:size] = column
            positive = np.zeros((batch_size, 1), np.int32)
            times = np.zeros(batch_size, np.int64)
            ages = np.zeros(batch_size, np.int64)
            shown = np.zeros((batch_size, num_shown), np.int32)
            for i, (window, place) in enumerate(chosen):
                history[i, :place] = windows["history/item"][window, :place]
                for name in (TIMES, KINDS):
                    contexts[name][i, :place] = windows[name][window, :place]
                positive[i, 0] = windows["history/item"][window, place]
                times[i] = windows["history/time"][window, place - 1]
                ages[i] = newest - windows["history/time"][window, place]
                user = int(windows["user"][window])
                rows = had[user]
                excluded[i, : len(rows)] = rows
                if exposures is not None:
                    near = exposures.near(
                        user,
                        windows["history/time"][window, place],
                        exposure_hours * _SECONDS_PER_HOUR,
                        last_times[user],
                    )
                    near = near[warm[near] & ~np.isin(near, rows)][:num_shown]
                    shown[i, : len(near)] = near
            # The last edge is an event's own time; an event may not know its own bucket.
            buckets = np.minimum(bucket_of(times, time_edges), len(time_edges) - 2)
            own = _decayed(ages / _SECONDS_PER_DAY, half_life_days).astype(np.float32)[:, None]
            queries, rows, scores, positive_scores, returned, shown_scores = (
                tensor.numpy()[:size]
                for tensor in ask(history, excluded, buckets, positive, own, contexts, shown)
            )
            rows = np.where(warm[rows], rows, 0)
            drawn = _draw(rows, num_negatives, generator)
            scores = np.take_along_axis(scores, drawn, axis=1)
            rows = np.take_along_axis(rows, drawn, axis=1)
            was_shown = (shown[:size] > 0).any(axis=1)
            if exposures is not None:
                rows = np.where(was_shown[:, None], shown[:size], rows)
                scores = np.where(was_shown[:, None], shown_scores, scores)
                returned = returned | was_shown
            scores = np.where(rows > 0, scores, 0)
            own_event = np.zeros((size, 1 + rows.shape[1]), np.float32)
            own_event[:, :1] = own[:size]
            columns = (
                queries,
                history[:size],
                buckets[:size],
                np.concatenate([positive[:size], rows], axis=1),
                np.concatenate([positive_scores[:, None], scores], axis=1),
                own_event,
                windows["history/event"][chosen[:, 0], chosen[:, 1]],
                chosen,
                was_shown,
            )
            parts.append([column[returned] for column in columns])
            progress.advance(size)
    return RankingExamples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _items_of_users(windows: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    """The distinct rows of each user over all of its windows."""
    time = windows["history/item"].shape[1]
    users = np.repeat(windows["user"].astype(np.int64), time)
    rows = windows["history/item"].reshape(-1).astype(np.int64)
    pairs = np.unique(np.stack([users[rows > 0], rows[rows > 0]], axis=1), axis=0)
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    return {
        int(pairs[start, 0]): part[:, 1]
        for start, part in zip(starts, np.split(pairs, starts[1:]), strict=True)
    }


def _last_times(windows: dict[str, np.ndarray]) -> dict[int, int]:
    """The time of each user's last event over all of its windows."""
    last: dict[int, int] = {}
    known = windows["history/item"] > 0
    newest = np.where(known, windows["history/time"], np.iinfo(np.int64).min).max(axis=1)
    for user, time in zip(windows["user"].tolist(), newest.tolist(), strict=True):
        last[user] = max(time, last.get(user, time))
    return last


def _decayed(age: np.ndarray, half_life: float) -> np.ndarray:
    return 0.5 ** (age / half_life) if half_life > 0 else np.ones_like(age)


def _draw(rows: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """`[batch, size]` places of filled candidates, each once; empty ones only if too few."""
    keys = generator.random(rows.shape) + (rows == 0)
    return np.argsort(keys, axis=1)[:, :size]
