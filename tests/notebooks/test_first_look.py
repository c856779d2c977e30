"""The notebook on a finished demo run: it runs, shows pictures, and says what is missing."""

import pathlib
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="install the extra `notebooks`")
nbclient = pytest.importorskip("nbclient", reason="install the extra `notebooks`")

NOTEBOOK = pathlib.Path(__file__).parents[2] / "notebooks" / "01_first_look.ipynb"


def execute() -> Any:
    """The notebook with its outputs, run in its own folder."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=resources
    )
    return client.execute()


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_the_stored_notebook_is_valid_and_holds_no_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert outputs_of(notebook) == []
    assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {None}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.slow
def test_the_notebook_shows_a_finished_run_in_pictures(demo_dir, monkeypatch):
    monkeypatch.setenv("TFRS_MM_DEMO_DIR", str(demo_dir))
    monkeypatch.setenv("TFRS_MM_DEMO_INPUT", str(demo_dir / "input"))
    # With this backend nothing is drawn by itself, so the notebook has to put its figures out.
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = execute()
    outputs = outputs_of(notebook)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert [output for output in outputs if output.output_type == "error"] == []
    # figures, items, neighbours, one user, training
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "60 items, 60 users" in printed
    assert "modalities: image, text" in printed


@pytest.mark.slow
def test_a_folder_without_a_run_is_answered_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TFRS_MM_DEMO_DIR", str(tmp_path / "nothing"))
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="run `make demo` first"):
        execute()


@pytest.mark.slow
def test_a_run_without_its_catalogue_names_the_variable_to_set(demo_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRS_MM_DEMO_DIR", str(demo_dir))
    monkeypatch.setenv("TFRS_MM_DEMO_INPUT", str(tmp_path))
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="set TFRS_MM_DEMO_INPUT"):
        execute()
