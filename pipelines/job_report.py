"""What the behaviour job counted, and whether what it made may be used."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from apache_beam.runners.runner import PipelineResult

from pipelines import cleaning, cores, records, shards, transitions
from pipelines.balance import balance_of
from pipelines.records import READ, REJECTED, WITHOUT_TIME
from pipelines.runners import counters
from pipelines.splitting import COLD_ITEMS, COLD_USERS, GAPS, LEFT_OUT
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError

REASONS, BALANCE = "reasons", "balance"
CUT_SHORT = "files cut short"  # told where there are any

_COUNTERS = (
    READ, REJECTED, shards.EXACT, shards.NEAR, shards.REPEATS, WITHOUT_TIME, shards.USERS,
    shards.TRAINED, shards.VALID, shards.TEST, LEFT_OUT, GAPS, COLD_ITEMS, COLD_USERS,
    shards.WINDOWS, transitions.COUNTED, *transitions.KEPT.values(), *cleaning.COUNTERS,
    *cores.COUNTERS,
)  # fmt: skip
# As settings ask for.
_CLEANED = (
    cleaning.NEGATIVES, cleaning.OF_ROBOTS, cores.EVENTS_OUTSIDE, GAPS, COLD_ITEMS, COLD_USERS,
)  # fmt: skip
# Settings that speak of the time of every event, and what turns them off.
_TIMED = {"session_gap_minutes": "0", "time_features": "false", "profiles": "false"}
_SHOWN = 3  # reasons of rejects that an error names, the most frequent ones


def report_of(result: PipelineResult) -> dict[str, Any]:
    """The counters of the finished job; `reasons` says why events were rejected, and how many, and
    `balance` where those that were read have gone."""
    found = counters(result, records.NAMESPACE)
    # Some runners give None for a counter that stayed at 0.
    counted = {name: found.get(name) or 0 for name in _COUNTERS}
    cut_short = sorted(counters(result, records.CUT_SHORT))
    return {
        **counted,
        BALANCE: balance_of(counted),
        REASONS: dict(sorted(counters(result, records.REASONS).items())),
        **({CUT_SHORT: cut_short} if cut_short else {}),
    }


def check_report(
    result: PipelineResult,
    report: dict[str, Any],
    settings: DataConfig,
    logs: Sequence[str],
    rejects_path: pathlib.Path,
) -> None:
    """Refuses what a job made of input that is not what it should be.

    Raises:
        UserError: a log could not be read to its end, there is no event, too many were rejected,
            none is left to learn from, or a temporal split or the age of transitions lacks times.
    """
    faults = sorted(counters(result, records.FAULTS))
    if faults:
        raise UserError("\n".join(faults))
    where = f"the logs ({', '.join(logs[:_SHOWN])}{', ...' if len(logs) > _SHOWN else ''})"
    read, rejected = report[READ], report[REJECTED]
    if read == 0:
        raise UserError(
            f"{where} hold no event. Give a log with at least one row below its header."
        )
    if rejected > settings.max_reject_share * read or rejected == read:
        raise UserError(
            f"{rejected} of {read} events of {where} were rejected; `data.max_reject_share` allows "
            f"a share of {settings.max_reject_share}, and one event must be left. Correct the "
            f"logs, or raise the share. Most frequent: {_examples(report[REASONS], rejects_path)}."
        )
    if report[WITHOUT_TIME]:
        _check_times(report[WITHOUT_TIME], where, settings)
    if report[shards.TRAINED] == 0:
        cleaned = {name: report[name] for name in _CLEANED if report.get(name)}
        remedy = (
            f"Give longer logs, or clean away less: {cleaned}." if cleaned else "Give longer logs."
        )
        raise UserError(f"no event of {where} is left to train on. {remedy}")


def _check_times(without: int, where: str, settings: DataConfig) -> None:
    """Refuses settings that need a time of every event.

    Raises:
        UserError: there is one.
    """
    missing = f"{without} events of {where} have no timestamp"
    if settings.split == "temporal":
        raise UserError(
            f"`data.split` is temporal, but {missing}. Give them one, or split by leave_one_out."
        )
    if settings.transition_window and settings.transition_half_life_days:
        raise UserError(
            f"`data.transition_half_life_days` is {settings.transition_half_life_days}, but "
            f"{missing}, so no age. Give them one, or set it to 0."
        )
    for name, off in _TIMED.items():
        value = getattr(settings, name)
        if value:
            raise UserError(
                f"`data.{name}` is {value}, but {missing}. Give them one, or set it to {off}."
            )


def _examples(reasons: dict[str, int], rejects_path: pathlib.Path) -> str:
    """The most frequent reasons with their numbers, and one place of each."""
    places: dict[str, str] = {}
    with open(rejects_path, encoding="utf-8", newline="\n") as file:
        for line in file:
            reject = json.loads(line)
            places.setdefault(reject["reason"], reject["where"])
    frequent = sorted(reasons, key=lambda reason: (-reasons[reason], reason))[:_SHOWN]
    return "; ".join(
        f"{reason} ({reasons[reason]}, such as {places[reason]})" for reason in frequent
    )
