"""Every user tower trains, is saved and reloaded, and leaves the ranker what it needs.

As the variants of the item tower are held to it: the first stage alone, steps without graphs.
"""

import numpy as np
import pytest
import tensorflow as tf
from training_world import SMALLEST

from tfrs_mm import _runtime
from tfrs_mm.config import load_config
from tfrs_mm.data.input_pipeline import read_windows
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.ranking import build_ranker
from tfrs_mm.retrieval import QueryModel, build_two_tower
from tfrs_mm.towers import SEQUENCES
from tfrs_mm.training.holdout import Holdout
from tfrs_mm.training.knowledge import fit_reductions, read_knowledge, reduced_values
from tfrs_mm.training.mining import mine_examples
from tfrs_mm.training.ranking import make_ranking_tables
from tfrs_mm.training.retrieval import corpus_vectors, make_item_tables, train_retrieval

VARIANTS = {
    "gru": {"retrieval.time_gaps": 8, "retrieval.event_kinds": True},
    "mean": {
        "retrieval.recency_half_life": 4.0, "retrieval.interests": 2, "fusion.kind": "late",
        "alignment.agreement": 0.5,
    },
    "transformer": {
        "retrieval.time_gaps": 8, "retrieval.interests": 3, "retrieval.similarity": "dot",
    },
}  # fmt: skip


def test_every_user_tower_is_among_the_variants():
    assert set(VARIANTS) == set(SEQUENCES)


@pytest.mark.filterwarnings("ignore:.*does not apply to tf.data functions")
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_it_trains_reloads_and_leaves_the_ranker_what_it_needs(
    name, data_dir, tmp_path, without_graphs
):
    config = load_config(data_dir / "config.json").with_overrides(
        SMALLEST | VARIANTS[name] | {"retrieval.user_tower": name}
    )
    knowledge = read_knowledge(data_dir)
    values = reduced_values(knowledge, fit_reductions(knowledge, 4), 4)
    windows = read_windows(data_dir, knowledge.schema)
    counts = knowledge.target_counts
    _runtime.seed_everything(1)
    stage = train_retrieval(
        knowledge, config, values, Holdout.of_newest(windows, 0.0, seed=1), counts,
        tf.distribute.get_strategy(), tmp_path, tmp_path,
    )  # fmt: skip
    assert np.isfinite(stage.best)
    tables = make_item_tables(knowledge, values, counts)
    again = build_two_tower(config, knowledge.schema, tables, counts)
    tf.train.Checkpoint(model=stage.model).write(str(tmp_path / "weights"))
    read = tf.train.Checkpoint(model=again).read(str(tmp_path / "weights"))
    read.assert_existing_objects_matched()

    vectors = corpus_vectors(again, knowledge.schema.num_items + 1)
    mined = []
    for model in (stage.model, again):
        query_model = QueryModel(model.user_tower, vectors)
        mined.append(
            mine_examples(
                TwoStage(query_model, ExactIndex(query_model.item_vectors), None, 40), windows,
                knowledge.counts.time_edges, knowledge.warm, num_negatives=3, limit=16,
                batch_size=16, half_life_days=0.0, seed=1,
            )
        )  # fmt: skip
    np.testing.assert_allclose(mined[0].query, mined[1].query, atol=1e-6)
    interests = config.retrieval.interests
    queries = mined[0].query.reshape(len(mined[0]), interests, 4)
    scores = np.einsum("nid,nkd->nik", queries, vectors[mined[0].candidates]).max(axis=1)
    np.testing.assert_allclose(mined[0].retrieval_scores, scores, atol=1e-5)

    ranker = build_ranker(
        config, knowledge.schema, make_ranking_tables(knowledge, vectors, values, {}, True), None
    )
    ranked = ranker(
        {
            "query": mined[0].query, "history": mined[0].history, "bucket": mined[0].bucket,
            "candidates": mined[0].candidates,
            "retrieval_scores": mined[0].retrieval_scores.astype(np.float32),
        }
    )  # fmt: skip
    # Untrained it keeps the order of retrieval.
    np.testing.assert_array_equal(np.argsort(ranked), np.argsort(mined[0].retrieval_scores))
