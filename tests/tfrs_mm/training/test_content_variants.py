"""Every fusion, alignment, completion and kind of negatives trains, is saved and reloaded, and
scores the same.

The first stage alone, built and read again as a run is: the second one does not know of them. Steps
run without graphs, which take longer to trace than the steps; that every fusion and alignment
compiles is shown beside them.
"""

import numpy as np
import pytest
import tensorflow as tf
from training_world import SMALLEST

from tfrs_mm import _runtime
from tfrs_mm.config import load_config
from tfrs_mm.data.input_pipeline import read_windows
from tfrs_mm.fusion import COMPLETIONS, FUSIONS
from tfrs_mm.retrieval import build_two_tower
from tfrs_mm.towers import ALIGNMENTS
from tfrs_mm.training.holdout import Holdout
from tfrs_mm.training.knowledge import fit_reductions, read_knowledge, reduced_values
from tfrs_mm.training.retrieval import corpus_vectors, make_item_tables, train_retrieval

# fusion, missing, alignment, agreement: each choice at least once in as few runs as there are
# fusions.
VARIANTS = [
    ("attention", "imputed", "infonce", 0.0),
    ("behaviour", "learned", "none", 0.0),
    ("concat", "imputed", "sigmoid", 0.0),
    ("gated", "learned", "cosine", 0.5),
    ("late", "none", "infonce", 0.5),
    ("vote", "imputed", "none", 0.5),
]
# What negatives, losses and ids there are besides the default, one after the other.
NEGATIVES = [
    {"retrieval.loss": "gbce", "retrieval.frequencies": "streaming"},
    {"retrieval.negatives_queue": 40, "retrieval.negatives_queue_warmup": 0},
    {"retrieval.hard_negatives": 2, "fusion.oov_rows": 3},
    {"retrieval.negatives": "all"},
    {"retrieval.frequencies": "streaming", "retrieval.negatives_queue": 40},
    {"retrieval.log_q_correction": False, "retrieval.loss": "gbce"},
]


def test_every_choice_is_among_the_variants():
    fusions, missing, alignments, _ = (set(column) for column in zip(*VARIANTS, strict=True))
    assert fusions == set(FUSIONS)
    assert missing == {"none", *COMPLETIONS}
    assert alignments == {"none", *ALIGNMENTS}


@pytest.mark.filterwarnings("ignore:.*does not apply to tf.data functions")
@pytest.mark.parametrize(
    ("fusion", "missing", "alignment", "agreement", "negatives"),
    [(*variant, negatives) for variant, negatives in zip(VARIANTS, NEGATIVES, strict=True)],
)
def test_it_trains_reloads_and_scores_the_same(
    fusion, missing, alignment, agreement, negatives, data_dir, tmp_path, without_graphs
):
    chosen = {
        "fusion.kind": fusion, "fusion.missing": missing, "alignment.kind": alignment,
        "alignment.agreement": agreement, **negatives,
    }  # fmt: skip
    config = load_config(data_dir / "config.json").with_overrides(SMALLEST | chosen)
    knowledge = read_knowledge(data_dir)
    values = reduced_values(knowledge, fit_reductions(knowledge, 4), 4)
    nothing_held = Holdout.of_newest(read_windows(data_dir, knowledge.schema), 0.0, seed=1)
    _runtime.seed_everything(1)
    stage = train_retrieval(
        knowledge, config, values, nothing_held,
        knowledge.target_counts, tf.distribute.get_strategy(), tmp_path, tmp_path,
    )  # fmt: skip
    num_rows = knowledge.schema.num_items + 1
    trained = corpus_vectors(stage.model, num_rows)
    assert np.isfinite(trained).all()
    assert np.isfinite(stage.best)
    if stage.model.hard_negatives is not None:
        table = stage.model.training_state[-1].numpy()
        assert (table[1:57] > 0).all()
        assert (table[57:] == -1).all()  # nobody could have had these items

    tf.train.Checkpoint(model=stage.model).write(str(tmp_path / "weights"))
    tables = make_item_tables(
        knowledge, values, knowledge.target_counts, oov_rows=config.fusion.oov_rows
    )
    again = build_two_tower(config, knowledge.schema, tables, knowledge.target_counts)
    read = tf.train.Checkpoint(model=again).read(str(tmp_path / "weights"))
    read.assert_existing_objects_matched()
    np.testing.assert_allclose(corpus_vectors(again, num_rows), trained, atol=1e-6)
    history = tf.constant([[3, 7, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]], tf.int32)
    queries = [
        model.user_tower(model.item_vectors(history[0])[None]) for model in (stage.model, again)
    ]
    np.testing.assert_allclose(*queries, atol=1e-6)
