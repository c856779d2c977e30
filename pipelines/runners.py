"""How a job reaches a Beam runner, and how its counters come back."""

import logging
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from tfrs_mm.errors import UserError

_LOCAL = (None, "DirectRunner", "FnApiRunner")


def new_pipeline(beam_args: Sequence[str]) -> beam.Pipeline:
    """A pipeline for the runner that these options name; without one it runs in this process.

    Raises:
        UserError: Beam knows no such option.
    """
    options = PipelineOptions(list(beam_args))
    known = options.get_all_options()
    unknown = sorted(set(options.get_all_options(retain_unknown_options=True)) - set(known))
    if unknown:
        raise UserError(
            f"unknown options: {', '.join(f'--{name}' for name in unknown)}. "
            "Neither this command nor Beam has them; see --help."
        )
    # Beam's own DirectRunner would first try to download another runner.
    local = options.view_as(StandardOptions).runner in _LOCAL
    return beam.Pipeline(runner=FnApiRunner() if local else None, options=options)


def run_pipeline(pipeline: beam.Pipeline) -> PipelineResult:
    """The result of the finished job; an error of a worker is raised here."""
    log = logging.getLogger()
    log.addFilter(_is_worth_reading)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    finally:
        log.removeFilter(_is_worth_reading)
    return result


def _is_worth_reading(record: logging.LogRecord) -> bool:
    # Beam warns so at every load of a model wherever another, optional package is missing.
    return not str(record.msg).startswith("Resource module is not available")


def counters(result: PipelineResult, namespace: str) -> dict[str, int]:
    """The job's counters of one namespace, by name; steps that raise the same one are added up."""
    sums: dict[str, int] = {}
    for counter in result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]:
        # Some runners give None for a counter that was never raised.
        name, amount = counter.key.metric.name, counter.result or 0
        sums[name] = sums.get(name, 0) + amount
    return sums
