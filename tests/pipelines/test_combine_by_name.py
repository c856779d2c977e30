import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.combiners import CountCombineFn

from pipelines.combine_by_name import CombineBundles, MergeByName
from pipelines.runners import new_pipeline


def test_each_combiner_gets_what_bears_its_name():
    combiners = {"sum": beam.CombineFn.from_callable(sum), "count": CountCombineFn()}
    elements = [("sum", 3), ("count", "x"), ("sum", 4), ("count", "y"), ("count", "z")]
    with new_pipeline([]) as pipeline:
        one, other = (
            pipeline | f"Create{part}" >> beam.Create(elements[part::2])
            | f"Combine{part}" >> beam.ParDo(CombineBundles(combiners))
            for part in range(2)
        )  # fmt: skip
        made = (one, other) | beam.Flatten() | beam.CombineGlobally(MergeByName(combiners))
        assert_that(made, equal_to([{"sum": 7, "count": 3}]))


def test_a_bundle_hands_over_one_part_of_each_name_it_met():
    made = CombineBundles({"sum": beam.CombineFn.from_callable(sum), "count": CountCombineFn()})
    made.start_bundle()
    for number in range(4):
        made.process(("sum", number))
    (part,) = made.finish_bundle()
    assert part.value[0] == "sum"
    made.start_bundle()
    assert list(made.finish_bundle()) == []
