import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.combiners import CountCombineFn

from pipelines.combine_by_name import CombineByName
from pipelines.runners import new_pipeline


def test_each_combiner_gets_what_bears_its_name():
    combine = CombineByName({"sum": beam.CombineFn.from_callable(sum), "count": CountCombineFn()})
    elements = [("sum", 3), ("count", "x"), ("sum", 4), ("count", "y"), ("count", "z")]
    with new_pipeline([]) as pipeline:
        made = pipeline | beam.Create(elements) | beam.CombineGlobally(combine)
        assert_that(made, equal_to([{"sum": 7, "count": 3}]))
