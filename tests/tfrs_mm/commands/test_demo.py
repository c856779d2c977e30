import pytest

from tfrs_mm.cli import main


@pytest.mark.parametrize("name", ["input", "data", "run"])
def test_a_folder_that_no_demo_made_is_not_replaced(tmp_path, name, data_dir, monkeypatch, capsys):
    """Someone's own folder may have one of the names that the demo writes."""
    import tfrs_mm.commands.demo as demo

    mine = tmp_path / name / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    arguments = ["demo", "--output", str(tmp_path), "--weights", str(tmp_path / "weights")]
    if name != "input":
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "items.csv").write_text("item_id\na\n")
        arguments += ["--input", str(tmp_path / "own")]
    monkeypatch.setattr(demo.Demo, "_install_weights", lambda self: None)
    if name == "run":
        monkeypatch.setattr(demo.Demo, "_preprocess", lambda self, input_dir: data_dir)
    assert main(arguments) == 2
    assert "was not made by a demo" in capsys.readouterr().err
    assert mine.read_text() == "mine"
