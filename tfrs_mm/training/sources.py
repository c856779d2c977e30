"""The sources of candidates that a configuration asks for, besides the two towers."""

from tfrs_mm.config import Config
from tfrs_mm.errors import UserError
from tfrs_mm.policy import CandidateSource, ListSource, TransitionSource
from tfrs_mm.ranking import RankingTables, fresh_lists, popular_lists
from tfrs_mm.training.knowledge import Knowledge

_COUNTED, _LINEAR = ("covisited", "next"), ("similar", "following")
_LISTS = {"popular": popular_lists, "fresh": fresh_lists}


def make_sources(
    knowledge: Knowledge, config: Config, tables: RankingTables
) -> list[CandidateSource]:
    """The sources, in the order of the settings.

    Raises:
        UserError: item-to-item statistics are asked for, but the data was made without.
    """
    sources: list[CandidateSource] = []
    for name in (*_COUNTED, *_LINEAR):
        size = getattr(config.sources, name)
        if size and name in _COUNTED and knowledge.neighbours is None:
            raise UserError(
                f"`sources.{name}` is {size}, but {knowledge.data_dir} has no item-to-item "
                "statistics. Preprocess with `data.transition_window` above 0, or set it to 0."
            )
        if size:
            sources.append(TransitionSource(name, tables.transitions, size))
    for name, lists in _LISTS.items():
        size = getattr(config.sources, name)
        if size:
            rows = lists(tables.popularity.numpy(), ListSource.length(size))
            sources.append(ListSource(name, rows, size))
    return sources
