import json

import pytest

from tfrs_mm.cli import main
from tfrs_mm.commands.answers import answer
from tfrs_mm.commands.evaluate import evaluate_run
from tfrs_mm.training.run import load_run


@pytest.fixture(scope="module")
def loaded(run_dir):
    return load_run(run_dir)


def test_every_user_is_in_one_slice_of_each_kind(loaded):
    result, _, _ = evaluate_run(loaded, "retrieval", "test")
    for kind in ("history_", "modalities_"):
        sizes = [part["queries"] for name, part in result["slices"].items() if kind in name]
        assert sum(sizes) == result["queries"] == 80
    assert set(result["slices"]) >= {"modalities_text", "modalities_image+text", "history_5-9"}
    assert result["metrics"]["map@10"] == result["metrics"]["mrr@10"]  # of one target each


def test_lists_of_one_class_are_less_diverse_than_popular_ones(loaded):
    # Retrieval begins with the few items left of the class that a user likes; popularity mixes
    # four classes from the first place on.
    diversity = {
        stage: answer(loaded, stage, "test").measured.values[:, -1].mean()
        for stage in ("popularity", "retrieval")
    }
    assert diversity["retrieval"] < 0.9 * diversity["popularity"]


def test_another_stage_is_compared_user_by_user(run_dir, tmp_path, capsys):
    base = ["evaluate", "--run", str(run_dir)]
    popular, own, told = tmp_path / "popular.csv", tmp_path / "own.csv", tmp_path / "told.json"
    assert main([*base, "--stage", "popularity", "--predictions", str(popular)]) == 0
    lines = popular.read_text().splitlines()
    half = [line for line in lines if not line.startswith(("user-1", "user-2"))]
    popular.write_text("\n".join([*half, "nobody,1,item-1,1"]) + "\n")
    again = ["--stage", "retrieval", "--predictions", str(own)]
    capsys.readouterr()
    assert main([*base, *again, "--compare", str(popular), "--json", str(told)]) == 0
    comparison = json.loads(told.read_text())["comparison"]
    # of 80 users 1, 10 to 19, 2 and 20 to 29 are taken out
    assert (comparison["queries"], comparison["only_here"], comparison["only_there"]) == (58, 22, 1)
    found = comparison["metrics"]["ndcg@10"]
    assert found["low"] > 0
    assert found["value"] == pytest.approx(found["ours"] - found["other"])
    assert "58 users that both have (22 only here, 1 only there)" in capsys.readouterr().out


def test_a_file_of_other_users_is_refused(run_dir, tmp_path, capsys):
    path = tmp_path / "other.csv"
    path.write_text("user_id,rank,item_id,score\nnobody,1,item-1,1\n")
    arguments = ["evaluate", "--run", str(run_dir), "--stage", "popularity", "--compare", str(path)]
    assert main(arguments) == 2
    assert "has lists of 1 users, but none of the 80 asked here" in capsys.readouterr().err
    path.write_text("user_id,rank,item_id,score\nuser-1,1,item-99,1\n")
    assert main(arguments) == 2
    assert "line 2: item 'item-99' is not in the catalogue" in capsys.readouterr().err


def test_knockouts_are_printed_and_written(run_dir, tmp_path, capsys, monkeypatch):
    from tfrs_mm.training.knockout import ItemInputs

    monkeypatch.setattr(ItemInputs, "parts", lambda items: {"text": ("text",)})  # one is enough
    arguments = ["evaluate", "--run", str(run_dir), "--knockout", "--json", str(tmp_path / "k")]
    assert main([*arguments, "--stage", "retrieval"]) == 0
    entries = json.loads((tmp_path / "k").read_text())["knockout"]
    assert [(entry["part"], entry["by"]) for entry in entries] == [
        ("text", "noise"), ("text", "absence"),
    ]  # fmt: skip
    assert entries[0]["lost"]["metrics"]["ndcg@10"]["value"] > 0
    out = capsys.readouterr()
    assert "text         noise    cold items" in out.out
    assert main([*arguments, "--stage", "popularity"]) == 2
    assert "Give --stage retrieval or ranking" in capsys.readouterr().err
