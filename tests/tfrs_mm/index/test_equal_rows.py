import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.index import is_among, sum_equal

ROWS = st.lists(st.integers(0, 6), min_size=5, max_size=5)


@given(st.lists(ROWS, min_size=1, max_size=3), st.lists(st.integers(0, 6), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_is_among_says_what_a_set_says(rows, others):
    found = is_among(tf.constant(rows, tf.int32), tf.constant([others] * len(rows), tf.int32))
    assert found.numpy().tolist() == [[row in others for row in line] for line in rows]


@given(st.lists(ROWS, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_first_place_of_each_row_is_marked_and_values_of_equal_rows_add_up(rows):
    values = np.arange(5 * len(rows), dtype=np.float32).reshape(len(rows), 5)
    is_first, sums = sum_equal(tf.constant(rows, tf.int32), tf.constant(values))
    for line, of, first, total in zip(rows, values, is_first.numpy(), sums.numpy(), strict=True):
        for place, row in enumerate(line):
            assert first[place] == (row not in line[:place])
            assert total[place] == sum(v for v, other in zip(of, line, strict=True) if other == row)


def test_both_compile_with_xla():
    @tf.function(jit_compile=True)
    def run(rows, others):
        return is_among(rows, others), *sum_equal(rows, tf.ones_like(rows))

    among, is_first, sums = run(tf.constant([[3, 1, 3]]), tf.constant([[1, 2]]))
    assert among.numpy().tolist() == [[False, True, False]]
    assert is_first.numpy().tolist() == [[True, True, False]]
    assert sums.numpy().tolist() == [[2, 1, 2]]
