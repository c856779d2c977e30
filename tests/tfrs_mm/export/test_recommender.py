import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm import signatures
from tfrs_mm.commands.evaluate import evaluate_run
from tfrs_mm.commands.export import export_run, make_recommender
from tfrs_mm.errors import UserError
from tfrs_mm.training.run import load_run

NOTHING = [[""]]


@pytest.fixture(scope="module")
def loaded(run_dir):
    return load_run(run_dir)


@pytest.fixture(scope="module")
def exact_dir(loaded, tmp_path_factory):
    return export_run(loaded, tmp_path_factory.mktemp("model") / "m", "exact")


@pytest.fixture(scope="module")
def served(exact_dir):
    return tf.saved_model.load(str(exact_dir))


def ask(model, signature="serving_default", user="", history=("",), exclude=("",)):
    answer = model.signatures[signature](
        user_id=tf.constant([user]),
        history_item_ids=tf.constant([list(history)]),
        exclude_item_ids=tf.constant([list(exclude)]),
    )
    return [i.decode() for i in answer["item_ids"][0].numpy()], answer["scores"][0].numpy()


def test_the_signatures_are_the_declared_ones(served):
    assert set(served.signatures) == {*signatures.INPUTS, "serving_default"}
    for name, inputs in signatures.INPUTS.items():
        spec = served.signatures[name].structured_input_signature[1]
        assert {key: tuple(value.shape.as_list()) for key, value in spec.items()} == {
            tensor.name: tensor.shape for tensor in inputs
        }
        assert set(served.signatures[name].structured_outputs) == {"item_ids", "scores"}


def test_a_process_with_tensorflow_alone_loads_it_and_gives_the_same_answer(exact_dir, served):
    code = (
        "import sys, json, tensorflow as tf\n"
        f"m = tf.saved_model.load({str(exact_dir)!r})\n"
        "f = m.signatures['serving_default']\n"
        "none = tf.constant([['']])\n"
        "a = f(user_id=tf.constant(['user-3']), history_item_ids=none, exclude_item_ids=none)\n"
        "assert not [n for n in sys.modules if n.split('.')[0] in "
        "('tfrs_mm', 'scann', 'tensorflow_recommenders')]\n"
        "print(json.dumps([i.decode() for i in a['item_ids'][0].numpy()]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert json.loads(answer.stdout.splitlines()[-1]) == ask(served, user="user-3")[0]


def test_the_saved_model_answers_as_the_module_it_was_saved_from(loaded, served):
    recommender = make_recommender(loaded, "exact")
    for user in ("user-1", "user-2", "nobody"):
        here = recommender.recommend(
            tf.constant([user]), tf.constant(NOTHING), tf.constant(NOTHING)
        )
        ids, scores = ask(served, user=user)
        assert [i.decode() for i in here["item_ids"][0].numpy()] == ids
        np.testing.assert_allclose(here["scores"][0], scores, rtol=1e-5)


def test_served_retrieval_is_what_evaluation_measures(loaded, served):
    """The test split's history, asked over the signature, gives the evaluated list item by item."""
    _, ranked, users = evaluate_run(loaded, "retrieval", "test")
    knowledge = loaded.knowledge
    from tfrs_mm.data.input_pipeline import read_queries

    queries = read_queries(knowledge.data_dir, knowledge.schema, "test")
    item_ids = knowledge.catalogue.item_ids
    for place in (0, 7, 41):
        history = [item_ids[row] for row in queries.history_items[place] if row]
        ids, _ = ask(served, "retrieve", history=history)
        assert ids == [item_ids[row] for row in ranked.rows[place][:10]]
    assert users.tolist() == queries.user.tolist()


def test_what_a_user_has_had_is_never_recommended(loaded, served):
    from tfrs_mm.data.input_pipeline import read_queries

    knowledge = loaded.knowledge
    queries = read_queries(knowledge.data_dir, knowledge.schema, "users")
    for place in range(0, 80, 9):
        user = knowledge.users.ids_of([queries.user[place]])[0]
        seen = {knowledge.catalogue.item_ids[row] for row in queries.seen[place]}
        assert not seen & set(ask(served, user=user)[0])


def test_a_history_in_the_request_takes_the_place_of_the_stored_one(served):
    stored, _ = ask(served, user="user-1")
    given, _ = ask(served, user="user-1", history=["item-2", "item-6", "item-10"])
    nobody, _ = ask(served, history=["item-2", "item-6", "item-10"])
    # items of class 2 now lead, for a known user as for an unknown one
    assert {int(i.split("-")[1]) % 4 for i in nobody[:4]} == {2}
    assert given != stored
    assert not {"item-2", "item-6", "item-10"} & set(given)


def test_empty_places_and_exclusions_in_a_request_count_for_nothing(served):
    plain = ask(served, history=["item-2", "item-6"])
    spread = ask(served, history=["", "item-2", "", "item-6", ""], exclude=["", "no-such-item"])
    assert plain[0] == spread[0]
    np.testing.assert_allclose(plain[1], spread[1], rtol=1e-5)


def test_an_excluded_item_does_not_come_back(served):
    first = ask(served, history=["item-2", "item-6"])[0]
    assert first[0] not in ask(served, history=["item-2", "item-6"], exclude=[first[0]])[0]


def test_similar_items_leave_the_item_itself_out(served):
    answer = served.signatures["similar_items"](item_id=tf.constant(["item-2", "item-7"]))
    ids = [[i.decode() for i in row] for row in answer["item_ids"].numpy()]
    assert "item-2" not in ids[0]
    assert {int(i.split("-")[1]) % 4 for i in ids[0][:3]} == {2}
    assert (np.diff(answer["scores"].numpy(), axis=1) <= 1e-6).all()


@pytest.mark.parametrize("signature", ["recommend", "retrieve"])
def test_an_unknown_item_in_the_history_is_named(served, signature):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"history_item_ids: the model does not know.*bogus"
    ):
        ask(served, signature, history=["item-1", "bogus"])


def test_an_unknown_item_has_no_similar_ones(served):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"item_id: the model does not know.*bogus"
    ):
        served.signatures["similar_items"](item_id=tf.constant(["bogus"]))


def test_rows_must_belong_to_users(served):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="history_item_ids must have one row for each user_id"
    ):
        served.signatures["recommend"](
            user_id=tf.constant(["a", "b"]),
            history_item_ids=tf.constant(NOTHING),
            exclude_item_ids=tf.constant([[""], [""]]),
        )


def test_everything_excluded_leaves_empty_places_with_a_finite_score(served):
    everything = [f"item-{row}" for row in range(1, 58)]
    ids, scores = ask(served, history=["item-58"], exclude=everything)
    assert sorted(ids[:2]) == ["item-59", "item-60"]
    assert ids[2:] == [""] * 8
    assert np.isfinite(scores).all()
    assert (scores[2:] == np.finfo(np.float32).min).all()


def test_versions_count_upwards_and_carry_their_origin(loaded, exact_dir):
    second = export_run(loaded, exact_dir.parent, "exact")
    assert (exact_dir.name, second.name) == ("1", "2")
    manifest = json.loads((second / "manifest.json").read_text())
    assert manifest["made_from"]["run"] == loaded.fingerprint
    assert manifest["made_from"]["index"] == "exact"


@pytest.mark.slow
def test_the_scann_export_gives_the_exact_answer_and_does_not_load_without_its_operations(
    loaded, served, tmp_path
):
    folder = export_run(loaded, tmp_path / "m", "scann")
    scann = tf.saved_model.load(str(folder))
    for user in ("user-1", "user-2"):
        # so few items are all fetched
        assert ask(scann, user=user)[0] == ask(served, user=user)[0]
    code = f"import tensorflow as tf; tf.saved_model.load({str(folder)!r})"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert answer.returncode != 0
    assert "Scann" in answer.stderr


def test_an_output_that_is_a_file_is_refused(loaded, tmp_path):
    (tmp_path / "m").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        export_run(loaded, tmp_path / "m", "exact")


def test_a_list_longer_than_the_corpus_is_refused(loaded):
    import dataclasses

    config = loaded.config.with_overrides({"export.k": 61, "ranking.candidates": 100})
    with pytest.raises(UserError, match=r"`export.k` is 61, but the corpus holds 60 items"):
        make_recommender(dataclasses.replace(loaded, config=config), "exact")
