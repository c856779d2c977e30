import csv
import json
import subprocess
import sys

import pytest

from tfrs_mm.cli import build_parser, main

COMMANDS = [
    "demo",
    "synthesize",
    "convert",
    "weights",
    "preprocess",
    "train",
    "evaluate",
    "export",
    "serve",
    "recommend",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_goes_in_and_out_and_gives_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    assert f"Example: tfrs-mm {command}" in text


def test_every_command_is_there():
    assert all(command in build_parser().format_help() for command in COMMANDS)


def one_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    return captured.err


def test_a_folder_that_is_no_data_is_one_line_and_exit_two(tmp_path, capsys):
    assert main(["train", "--data", str(tmp_path), "--output", str(tmp_path / "run")]) == 2
    assert "is no data folder" in one_line(capsys)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_one_line_and_exit_two(tmp_path, capsys):
    assert main(["evaluate", "--run", str(tmp_path)]) == 2
    assert "is no run folder" in one_line(capsys)


def test_an_export_folder_without_a_model_is_one_line_and_exit_two(tmp_path, capsys):
    assert main(["recommend", "--model-dir", str(tmp_path), "--user", "u"]) == 2
    assert str(tmp_path) in one_line(capsys)
    assert (
        main(["serve", "--model-dir", str(tmp_path), "--rest-port", "0", "--grpc-port", "0"]) == 2
    )
    assert str(tmp_path) in one_line(capsys)


def test_an_input_that_is_not_there_is_one_line_and_exit_two(tmp_path, capsys):
    assert (
        main(["preprocess", "--input", str(tmp_path / "none"), "--output", str(tmp_path / "data")])
        == 2
    )
    assert "does not exist" in one_line(capsys)
    assert not (tmp_path / "data").exists()


def test_options_nobody_knows_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--data", "x", "--output", "y", "--runner", "DirectRunner"])
    assert stopped.value.code == 2
    assert "unrecognized arguments: --runner" in capsys.readouterr().err


def test_a_wrong_override_lists_what_there_is(data_dir, tmp_path, capsys):
    arguments = [
        "train",
        "--data",
        str(data_dir),
        "--output",
        str(tmp_path / "run"),
        "--set",
        "retrieval.temp=1",
    ]
    assert main(arguments) == 2
    assert "retrieval.temp: unknown" in capsys.readouterr().err


def test_evaluate_writes_predictions_and_figures(run_dir, tmp_path, capsys):
    predictions, figures = tmp_path / "p.csv", tmp_path / "f.json"
    arguments = ["evaluate", "--run", str(run_dir), "--stage", "retrieval"]
    assert main([*arguments, "--predictions", str(predictions), "--json", str(figures)]) == 0
    rows = list(csv.DictReader(predictions.open()))
    assert {row["user_id"] for row in rows} == {f"user-{number}" for number in range(1, 81)}
    report = json.loads(figures.read_text())
    assert report["stage"] == "retrieval"
    assert 0.3 < report["metrics"]["ndcg@10"]["value"] <= 1
    assert report["metrics"]["ndcg@10"]["low"] <= report["metrics"]["ndcg@10"]["value"]
    assert "cold items" in capsys.readouterr().out


def test_recommend_prints_rank_item_and_score(run_dir, tmp_path, capsys):
    model_dir = tmp_path / "model"
    assert main(["export", "--run", str(run_dir), "--output", str(model_dir)]) == 0
    capsys.readouterr()
    assert (
        main(["recommend", "--model-dir", str(model_dir), "--history", "item-2,item-6", "--k", "3"])
        == 0
    )
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", "3"]
    assert all(line[1].startswith("item-") and float(line[2]) for line in lines)
    assert main(["recommend", "--model-dir", str(model_dir), "--history", "bogus"]) == 2
    assert "history_item_ids: the model does not know" in one_line(capsys)


def test_the_command_line_starts_without_tensorflow():
    code = (
        "import sys; from tfrs_mm.cli import build_parser; build_parser(); "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'apache_beam', 'grpc')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
