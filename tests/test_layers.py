"""Who may import whom: the table of layers, held to the code."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
ZERO = {
    "tfrs_mm", "_runtime", "errors", "artefacts", "progress", "schema", "signatures", "config",
    "weights", "encoder_folder", "data_checks", "data_settings", "encoder_settings",
    "fusion_settings", "log_settings", "model_checks", "projection", "ranking_settings", "settings",
    "settings_checks", "termination",
}  # fmt: skip
ALLOWED = {
    **dict.fromkeys(ZERO, ZERO),
    "media": ZERO,
    "data": ZERO | {"media"},
    "encoders": ZERO,
    "fusion": ZERO,
    "losses": ZERO,
    "towers": ZERO | {"encoders", "fusion", "losses"},
    "index": ZERO,
}
ALLOWED["retrieval"] = ALLOWED["ranking"] = ALLOWED["towers"] | {"towers"}
ALLOWED["evaluation"] = ALLOWED["policy"] = ALLOWED["towers"] - {"encoders", "fusion", "losses"} | {
    "media",
    "data",
    "retrieval",
    "ranking",
    "index",
}
ALLOWED["training"] = ALLOWED["export"] = (
    ALLOWED["retrieval"] | ALLOWED["evaluation"] | {"evaluation", "policy"}
)
PIPELINES = ZERO | {"media", "data"}
SERVING = ZERO
NO_TENSORFLOW = [
    "tfrs_mm", "tfrs_mm.cli", "tfrs_mm.media", "tfrs_mm.data.vocabulary", "tfrs_mm.data.examples",
    "tfrs_mm.data.synthetic", "pipelines.behaviour", "pipelines.media",
]  # fmt: skip


def imported_parts(path: pathlib.Path) -> set[str]:
    """The parts of tfrs_mm (and `pipelines`, `serving`) that a file imports, anywhere in it."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            pieces = name.split(".")
            if pieces[0] in ("pipelines", "serving"):
                parts.add(pieces[0])
            elif pieces[0] == "tfrs_mm" and len(pieces) > 1:
                known = (ROOT / "tfrs_mm" / pieces[1]).is_dir() or (
                    ROOT / "tfrs_mm" / f"{pieces[1]}.py"
                ).is_file()
                parts.add(pieces[1] if known else "tfrs_mm")
    return parts


def source_files() -> list[pathlib.Path]:
    return [
        p for top in ("tfrs_mm", "pipelines", "serving") for p in sorted((ROOT / top).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_layer_may(path):
    relative = path.relative_to(ROOT)
    parts = imported_parts(path)
    if relative.parts[0] == "pipelines":
        assert parts - {"pipelines"} <= PIPELINES
    elif relative.parts[0] == "serving":
        assert parts - {"serving"} <= SERVING
    else:
        part = relative.parts[1].removesuffix(".py")
        if part in ("cli", "commands"):
            return
        part = "tfrs_mm" if part == "__init__" else part
        assert parts - {part} <= ALLOWED[part]


def test_every_source_file_is_looked_at():
    assert len(source_files()) > 60


@pytest.mark.parametrize("module", NO_TENSORFLOW)
def test_importing_it_does_not_import_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_tensorflow_recommenders_meets_keras_two():
    code = "import tfrs_mm, tensorflow as tf; print(tf.keras.layers.Layer.__module__)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("tf_keras.")


def test_keras_three_already_active_is_refused():
    code = (
        "import os; os.environ['TF_USE_LEGACY_KERAS'] = '0'\n"
        "import tensorflow as tf; tf.keras.layers.Dense(1)\n"
        "del os.environ['TF_USE_LEGACY_KERAS']\n"
        "import tfrs_mm"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "needs Keras 2" in answer.stderr
