"""How a job reaches a Beam runner, and how its counters come back."""

from collections.abc import Sequence

import apache_beam as beam
import grpc
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from pipelines.run_guard import guarded
from tfrs_mm.errors import UserError

_LOCAL = (None, "DirectRunner", "FnApiRunner")
_PORTABLE = "PortableRunner"


def new_pipeline(beam_args: Sequence[str]) -> beam.Pipeline:
    """A pipeline for the runner that these options name; without one it runs in this process.

    Raises:
        UserError: Beam knows no such option or runner, or the runner lacks an option.
    """
    options = PipelineOptions(list(beam_args))
    known = options.get_all_options()
    unknown = sorted(set(options.get_all_options(retain_unknown_options=True)) - set(known))
    if unknown:
        raise UserError(
            f"unknown options: {', '.join(f'--{name}' for name in unknown)}. "
            "Neither this command nor Beam has them; see --help."
        )
    runner = options.view_as(StandardOptions).runner
    if runner == _PORTABLE and not options.view_as(PortableOptions).job_endpoint:
        raise UserError(
            f"--runner={_PORTABLE} needs a job service. Name one, such as "
            "--job_endpoint=localhost:8099."
        )
    if runner in _LOCAL:
        # Beam's own DirectRunner would first try to download another runner.
        return beam.Pipeline(runner=FnApiRunner(), options=options)
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:
        raise UserError(f"--runner={runner} cannot be used: {error}") from error


def run_pipeline(pipeline: beam.Pipeline) -> PipelineResult:
    """The result of the finished job; an error of a worker is raised here.

    Raises:
        UserError: a worker process died, a disk is full, or no job service answers.
    """
    with guarded():
        try:
            result = pipeline.run()
        except grpc.FutureTimeoutError as error:
            endpoint = pipeline.options.view_as(PortableOptions).job_endpoint
            raise UserError(
                f"no job service answers at --job_endpoint={endpoint}. Start one there, or name "
                "another."
            ) from error
        result.wait_until_finish()
    return result


def counters(result: PipelineResult, namespace: str) -> dict[str, int]:
    """The job's counters of one namespace, by name; steps that raise the same one are added up."""
    sums: dict[str, int] = {}
    for counter in result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]:
        # Some runners give None for a counter that was never raised.
        name, amount = counter.key.metric.name, counter.result or 0
        sums[name] = sums.get(name, 0) + amount
    return sums
