import numpy as np

from tfrs_mm.ranking import bucket_of, fresh_lists, popular_lists, popularity_table


def test_an_event_knows_only_the_buckets_before_its_own():
    edges = np.array([0, 10, 20, 30])
    # item 1: one event in bucket 0 and two in bucket 2; item 2: one in bucket 1
    counts = np.array([[0, 0, 0], [1, 0, 2], [0, 1, 0]])
    table = popularity_table(counts, edges, first_time=np.array([-1, 5, 12]))
    known = np.expm1(table[1, :, 0]) / 3  # share of item 1; 3 rows
    # nothing before bucket 0; 1 of 1 before bucket 1; 1 of 2 before bucket 2; 3 of 4 at the end
    np.testing.assert_allclose(known, [0, 1, 0.5, 0.75], atol=1e-6)
    assert table[1, :, 3].tolist() == [0, 1, 1, 1]
    assert table[2, :, 3].tolist() == [0, 0, 1, 1]


def test_an_event_added_to_a_bucket_changes_no_earlier_feature_nor_its_own():
    edges = np.array([0, 10, 20, 30])
    counts = np.array([[0, 0, 0], [1, 1, 1], [2, 0, 1]])
    planted = counts.copy()
    planted[2, 1] += 50
    before = popularity_table(counts, edges, np.array([-1, 1, 2]))
    after = popularity_table(planted, edges, np.array([-1, 1, 2]))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.abs(before[:, 2:] - after[:, 2:]).max() > 0.1


def test_age_is_the_logarithm_of_days():
    day = 86_400
    table = popularity_table(
        np.array([[0, 0], [1, 0]]), np.array([0, 3 * day, 8 * day]), np.array([-1, day])
    )
    # at day 3 it is 2 days old, at day 8 it is 7: ln(1 + 2) = 1.0986, ln(1 + 7) = 2.0794
    np.testing.assert_allclose(table[1, 1:, 2], [1.0986, 2.0794], atol=1e-4)
    assert table[1, 0, 2] == 0


def test_a_time_before_1970_is_a_time_like_any_other():
    day = 86_400
    edges = np.array([-10 * day, -5 * day, 0])
    table = popularity_table(
        np.array([[0, 0], [1, 0], [0, 0]]), edges, np.array([-1, -8 * day, -1])
    )
    assert table[1, :, 3].tolist() == [0, 1, 1] and table[2, :, 3].tolist() == [0, 0, 0]
    # 3 days old at the edge five days before 1970: ln(1 + 3) = 1.3863
    np.testing.assert_allclose(table[1, 1, 2], 1.3863, atol=1e-4)


def test_a_time_at_an_edge_belongs_to_the_bucket_that_starts_there():
    edges = np.array([0, 10, 20])
    assert bucket_of(np.array([-5, 0, 9, 10, 19, 20, 99]), edges).tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_lists_of_popular_and_fresh_items_know_the_past_only():
    # Rows 1 to 3: row 1 was taken 3 times in bucket 0, row 2 once there and twice in bucket 1, row
    # 3 never.
    counts = np.array([[0, 0], [3, 0], [1, 2], [0, 0]])
    table = popularity_table(counts, np.array([0, 10, 20]), np.array([-1, 2, 5, -1]))
    assert popular_lists(table, 3).tolist() == [[0, 0, 0], [1, 2, 0], [2, 1, 0]]
    assert fresh_lists(table, 2).tolist() == [[0, 0], [2, 1], [2, 1]]
    assert popular_lists(table, 6).shape == (3, 6)
