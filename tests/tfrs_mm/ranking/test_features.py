import numpy as np
import tensorflow as tf
from ranking_world import make_inputs, make_tables

from tfrs_mm.ranking import ItemToItem, RankingTables, TransitionTables, candidate_features
from tfrs_mm.ranking.features import HALF_LIFE


def features(tables, inputs):
    return candidate_features(
        tables,
        inputs["query"],
        inputs["history"],
        inputs["bucket"],
        inputs["candidates"],
        inputs["retrieval_scores"],
    )


def test_features_have_the_declared_size():
    tables = make_tables()
    assert features(tables, make_inputs()).shape == (2, 2, tables.num_features)


def test_each_candidate_is_shown_with_the_interest_that_it_scores_with():
    tables, inputs = make_tables(), make_inputs()
    queries = np.random.default_rng(4).normal(size=(2, 3, 4)).astype(np.float32)
    found = features(tables, inputs | {"query": tf.constant(queries)})
    vectors = tables.item_vectors.numpy()[inputs["candidates"]]
    chosen = np.einsum("bid,bkd->bki", queries, vectors).argmax(axis=-1)
    assert chosen.min() != chosen.max()
    for user, place in np.ndindex(2, 2):
        query = np.repeat(queries[user, chosen[user, place]][None], 2, axis=0)
        alone = features(tables, inputs | {"query": tf.constant(query)})
        np.testing.assert_allclose(found[user, place], alone[user, place], atol=1e-6)


def test_without_the_vectors_all_other_features_stay():
    whole = make_tables()
    tables = RankingTables(
        whole.item_vectors.numpy(),
        whole.modality_vectors.numpy(),
        whole.present.numpy(),
        whole.popularity.numpy(),
        {"genres": whole.categories["genres"].numpy()},
        reads_vectors=False,
    )
    found = features(tables, make_inputs())
    assert found.shape[-1] == tables.num_features
    # Query, candidate and product, of four numbers each, stand in front of the others.
    expected = features(whole, make_inputs())[..., 12:]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_candidate_shown_as_new_has_no_features_of_events_and_keeps_all_others():
    generator = np.random.default_rng(3)
    neighbours = np.zeros((6, 4), np.int32)
    neighbours[1:] = [[3, 4, 5, 2], [3, 4, 5, 1], [5, 4, 2, 1], [5, 3, 2, 1], [4, 3, 2, 1]]
    weights = np.where(neighbours > 0, -np.sort(-generator.random((6, 4))), 0).astype(np.float32)
    plain = make_tables()
    tables = RankingTables(
        plain.item_vectors.numpy(),
        plain.modality_vectors.numpy(),
        plain.present.numpy(),
        plain.popularity.numpy(),
        {"genres": plain.categories["genres"].numpy()},
        TransitionTables({"next": ItemToItem(neighbours, weights, weights.sum(1))}, 4, 2.0),
    )
    inputs = make_inputs()
    arguments = [
        inputs[name] for name in ("query", "history", "bucket", "candidates", "retrieval_scores")
    ]
    as_new = tf.constant([[True, False], [False, False]])
    whole = candidate_features(tables, *arguments).numpy()
    hidden = candidate_features(tables, *arguments, as_new=as_new).numpy()
    np.testing.assert_array_equal(whole[0, 1], hidden[0, 1])
    np.testing.assert_array_equal(whole[1], hidden[1])
    # Four of popularity and two of one kind of statistics, in front of the one category.
    changed = np.arange(tables.num_features - 7, tables.num_features - 1)
    assert np.flatnonzero(whole[0, 0] != hidden[0, 0]).tolist() == changed.tolist()
    assert not hidden[0, 0, changed].any()


def test_similarities_to_the_history_are_means_and_maxima_over_present_items():
    tables, inputs = make_tables(), make_inputs()
    result = features(tables, inputs)[0, 0].numpy()  # candidate 3, history 1 then 2
    image = tables.modality_vectors.numpy()[:, 0]
    first, second = image[3] @ image[1], image[3] @ image[2]
    at = (
        3 * 4 + 2 + 3
    )  # query, candidate, product; score, length; three similarities by item vector
    old = 0.5 ** (1 / HALF_LIFE)  # item 1 is one place older than item 2
    text = tables.modality_vectors.numpy()[:, 1]
    only = text[3] @ text[1]  # item 2 has no text
    np.testing.assert_allclose(result[at], (first + second) / 2, atol=1e-5)
    np.testing.assert_allclose(result[at + 1], only, atol=1e-5)
    np.testing.assert_allclose(result[at + 2], (old * first + second) / (old + 1), atol=1e-5)
    np.testing.assert_allclose(result[at + 3], only, atol=1e-5)
    np.testing.assert_allclose(result[at + 4], max(first, second), atol=1e-5)


def test_a_modality_that_the_candidate_lacks_counts_as_zero():
    tables, inputs = make_tables(), make_inputs()
    result = features(tables, inputs)[0, 1].numpy()  # candidate 4 has no picture
    at = 3 * 4 + 2 + 3
    assert result[[at, at + 2, at + 4]].tolist() == [0, 0, 0]


def test_popularity_is_read_at_the_bucket_of_the_query():
    tables, inputs = make_tables(), make_inputs()
    result = features(tables, inputs)[0, 0].numpy()
    np.testing.assert_allclose(result[-5:-1], tables.popularity.numpy()[3, 2], atol=1e-6)


def test_a_common_category_counts_by_its_share_of_the_history():
    result = features(make_tables(), make_inputs()).numpy()
    # candidate 3 is of genre 1 like item 1 but not item 2; candidate 4 of genre 3; candidate 5 of
    # genre 2
    assert result[0, 0, -1] == 0.5
    assert result[0, 1, -1] == 0
    assert result[1, 0, -1] == 0
