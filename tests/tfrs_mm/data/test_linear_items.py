import numpy as np
import pytest

from tfrs_mm.data import linear_items
from tfrs_mm.data.linear_items import Events, LinearFit, fit_following, fit_similar

FITS = {"similar": fit_similar, "following": fit_following}


def make_log(users: int, items: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Timelines of 1 to `items` different items."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, items + 1, users)
    rows = [generator.permutation(items)[:length] + 1 for length in lengths]
    # Ids of users are any numbers, as long as neighbours differ.
    return np.repeat(10 * np.arange(users) + 7, lengths), np.concatenate(rows)


def dense(model, num_items: int) -> np.ndarray:
    """`[items + 1, items + 1]` weights of line to column."""
    lines = np.zeros((num_items + 1, num_items + 1))
    lines[np.arange(num_items + 1)[:, None], model.neighbours] = model.weights
    lines[:, 0] = 0
    return lines


def oracle(kind: str, users: np.ndarray, items: np.ndarray, num_items: int, ridge: float):
    """The closed forms in float64, event by event."""
    timelines = [items[users == user] for user in dict.fromkeys(users)]
    if kind == "similar":
        x = np.zeros((len(timelines), num_items))
        for line, timeline in enumerate(timelines):
            x[line, timeline - 1] = 1
        p = np.linalg.inv(x.T @ x + ridge * np.eye(num_items))
        b = -p / np.diag(p)[None, :]
    else:
        pasts, targets = [], []
        for timeline in timelines:
            for place in range(1, len(timeline)):
                past = np.zeros(num_items)
                for steps, item in enumerate(timeline[:place][::-1][:20]):
                    past[item - 1] += 2 ** (-steps / 6)
                pasts.append(past)
                targets.append(np.eye(num_items)[timeline[place] - 1])
        x, y = np.array(pasts), np.array(targets)
        b = np.linalg.solve(x.T @ x + ridge * np.eye(num_items), x.T @ y)
    np.fill_diagonal(b, 0)
    whole = np.zeros((num_items + 1, num_items + 1))
    whole[1:, 1:] = np.maximum(b, 0)
    return whole


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize(("users", "items"), [(40, 9), (6, 30)], ids=["users", "items"])
class TestEveryModel:
    """With more users than items, and with more items than users."""

    def test_it_is_the_closed_form(self, kind, users, items):
        log = make_log(users, items)
        found = FITS[kind](Events.of(*log, items, items), LinearFit(2.0, items))
        expected = oracle(kind, *log, items, 2.0)
        np.testing.assert_allclose(dense(found, items), expected, atol=2e-5)

    def test_the_cut_keeps_the_heaviest_of_each_line(self, kind, users, items):
        events = Events.of(*make_log(users, items), items, items)
        whole = FITS[kind](events, LinearFit(2.0, items))
        cut = FITS[kind](events, LinearFit(2.0, 3))
        np.testing.assert_array_equal(cut.neighbours, whole.neighbours[:, :3])
        np.testing.assert_array_equal(cut.weights, whole.weights[:, :3])

    def test_work_in_small_pieces_gives_the_same(self, kind, users, items, monkeypatch):
        events = Events.of(*make_log(users, items), items, items)
        whole = FITS[kind](events, LinearFit(2.0, 5))
        monkeypatch.setattr(linear_items, "_PAIRS_AT_ONCE", 13)
        monkeypatch.setattr(linear_items, "_ROWS_AT_ONCE", 4)
        pieces = FITS[kind](events, LinearFit(2.0, 5))
        np.testing.assert_array_equal(pieces.neighbours, whole.neighbours)
        np.testing.assert_allclose(pieces.weights, whole.weights, rtol=1e-5)

    def test_items_beyond_the_limit_speak_for_nothing_and_nothing_for_them(
        self, kind, users, items
    ):
        log = make_log(users, items)
        counts = np.bincount(log[1], minlength=items + 1)
        best = np.argsort(-counts, kind="stable")[:4]
        found = dense(FITS[kind](Events.of(*log, items, 4), LinearFit(2.0, 3)), items)
        others = np.setdiff1d(np.arange(items + 1), best)
        assert not found[others].any() and not found[:, others].any() and found.any()


def test_two_items_that_everybody_takes_together_speak_for_each_other():
    # X'X + 1 = [[3, 2], [2, 3]], whose inverse is [[3, -2], [-2, 3]] / 5: B = 2 / 3.
    events = Events.of(np.array([1, 1, 2, 2]), np.array([1, 2, 2, 1]), 3, 10)
    model = fit_similar(events, LinearFit(1.0, 2))
    assert model.neighbours.tolist() == [[0, 0], [2, 0], [1, 0], [0, 0]]
    np.testing.assert_allclose(model.weights[1:3, 0], 2 / 3, rtol=1e-6)


def test_order_matters_to_what_follows_alone():
    # One after the other: X'X = [[2, 0], [0, 0]], X'Y = [[0, 2], [0, 0]]; B[1, 2] = 2 / (2 + 1).
    events = Events.of(np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2]), 2, 10)
    model = fit_following(events, LinearFit(1.0, 1))
    assert model.neighbours.tolist() == [[0], [2], [0]]
    np.testing.assert_allclose(model.weights[1, 0], 2 / 3, rtol=1e-6)


def test_an_item_that_a_user_took_twice_is_one_of_theirs_once():
    once = Events.of(np.array([1, 1, 2, 2]), np.array([1, 2, 2, 1]), 2, 10)
    twice = Events.of(np.array([1, 1, 1, 2, 2]), np.array([1, 2, 1, 2, 1]), 2, 10)
    fit = LinearFit(1.0, 1)
    np.testing.assert_array_equal(fit_similar(once, fit).weights, fit_similar(twice, fit).weights)


@pytest.mark.parametrize("kind", FITS)
def test_no_events_at_all_make_an_empty_model(kind):
    none = np.zeros(0, np.int64)
    model = FITS[kind](Events.of(none, none, 4, 10), LinearFit(1.0, 3))
    assert model.neighbours.shape == (5, 3) and not model.neighbours.any()
