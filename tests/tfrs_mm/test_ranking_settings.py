import pytest

from tfrs_mm.config import Config, RankingConfig
from tfrs_mm.errors import UserError
from tfrs_mm.ranking_settings import ranking_faults, task_weights_of


def test_the_defaults_make_sense():
    assert ranking_faults(RankingConfig()) == []


@pytest.mark.parametrize(
    "settings, fault",
    [
        ({"histogram_bins": 1}, "ranking.histogram_bins: must be 0, or at least 2"),
        ({"diversity": 1.5}, "ranking.diversity: must be from 0 to 1, received 1.5"),
        ({"tasks": ["a", "a"]}, "ranking.tasks: must be kinds of events, each once"),
        (
            {"tasks": ["a", "b"], "task_weights": [1.0]},
            "ranking.task_weights: must be one for each task (2)",
        ),
        ({"tasks": ["a"], "task_weights": [0.0]}, "ranking.task_weights: must be above 0"),
        ({"fusion_dim": 5}, "ranking.fusion_dim: must be a multiple of ranking.fusion_heads (2)"),
        ({"exposure_hours": 0.0}, "ranking.exposure_hours: must be above 0 and finite"),
        ({"value_weight": 0.0}, "ranking.value_weight: must be above 0 and finite"),
        ({"value_head": True}, "ranking.value_head: must be false where data.values is 'none'"),
        ({"experts": 0}, "ranking.experts: must be at least 1"),
        ({"learning_rate": 0.0}, "ranking.learning_rate: must be above 0"),
        ({"hide_events": 1.0}, "ranking.hide_events: must be at least 0 and below 1"),
    ],
)
def test_a_value_that_makes_no_sense_is_told(settings, fault):
    with pytest.raises(UserError) as error:
        Config().with_overrides({f"ranking.{key}": value for key, value in settings.items()})
    assert fault in str(error.value)


def test_tasks_weigh_what_is_said_or_what_their_events_weigh():
    of_kinds = {"purchase": 5.0}
    ranking = RankingConfig(tasks=("view", "purchase"))
    assert task_weights_of(ranking, of_kinds) == (1.0, 5.0)
    ranking = RankingConfig(tasks=("view", "purchase"), task_weights=(2.0, 3.0))
    assert task_weights_of(ranking, of_kinds) == (2.0, 3.0)
