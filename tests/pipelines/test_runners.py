import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.runners import counters, new_pipeline, run_pipeline


def count(number: int) -> int:
    Metrics.counter("numbers", "seen").inc(number)
    return number


def test_a_counter_that_several_steps_raise_is_their_sum():
    pipeline = new_pipeline([])
    numbers = pipeline | beam.Create([1, 2, 3])
    _ = numbers | "One" >> beam.Map(count) | beam.Reshuffle() | "Other" >> beam.Map(count)
    # 1 + 2 + 3 in either step
    assert counters(run_pipeline(pipeline), "numbers") == {"seen": 12}
