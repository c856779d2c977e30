import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.encoders import MusicnnAudioEncoder, export_encoder
from tfrs_mm.media import log_mel, patches
from tfrs_mm.schema import Modality
from tfrs_mm.weights import find_weights

# The package itself cannot be imported; its file that builds the graph can, beside one of its
# settings.
PUBLISHED_GRAPH = """
import importlib.util, os, sys, types
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf
package, patches_file, answer_file = sys.argv[1:]
musicnn = types.ModuleType("musicnn")
musicnn.__path__ = [package]
sys.modules["musicnn"] = musicnn
tf.compat.v1.disable_eager_execution()
from musicnn import models
inputs = tf.compat.v1.placeholder(tf.float32, [None, 187, 96])
outputs = models.define_model(inputs, False, "MTT_musicnn", 50)
with tf.compat.v1.Session() as session:
    tf.compat.v1.train.Saver().restore(session, package + "/MTT_musicnn/")
    np.save(answer_file, session.run(outputs[-1], {inputs: np.load(patches_file)}))
"""


@pytest.fixture(scope="module")
def checkpoint(weights_dir):
    found = find_weights(weights_dir)
    if "musicnn" not in found:
        pytest.skip(f"no weights of musicnn in {weights_dir}")
    return found["musicnn"]


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return MusicnnAudioEncoder(checkpoint)


def sound(kind, seed, seconds=3.2):
    generator = np.random.default_rng(seed)
    times = np.arange(int(seconds * 16_000)) / 16_000
    if kind == "noise":
        return generator.normal(0, 0.2, len(times)).astype(np.float32)
    pitch = 220 * 2 ** (generator.integers(0, 12) / 12)
    tones = [np.sin(2 * np.pi * pitch * n * times) / n for n in range(1, 6)]
    beat = (np.sin(2 * np.pi * 2 * times) > 0) * 0.8 + 0.2
    return (0.2 * sum(tones) * beat).astype(np.float32)


def test_embeddings_agree_with_the_published_graph(encoder, checkpoint, tmp_path):
    inputs = np.concatenate([patches(log_mel(sound(kind, 1))) for kind in ("noise", "tones")])
    np.save(tmp_path / "patches.npy", inputs)
    command = [sys.executable, "-c", PUBLISHED_GRAPH, str(checkpoint.parent), *(
        str(tmp_path / name) for name in ("patches.npy", "answer.npy")
    )]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    np.testing.assert_allclose(
        encoder(tf.constant(inputs)), np.load(tmp_path / "answer.npy"), atol=1e-4
    )


def test_sounds_of_a_kind_are_nearer_than_others(encoder):
    kinds = ["noise", "noise", "tones", "tones"]
    inputs = np.concatenate(
        [patches(log_mel(sound(kind, seed))) for seed, kind in enumerate(kinds)]
    )
    embeddings = tf.math.l2_normalize(encoder(tf.constant(inputs)), axis=1).numpy()
    cosines = embeddings @ embeddings.T
    assert min(cosines[0, 1], cosines[2, 3]) > cosines[:2, 2:].max() + 0.2


def test_a_patch_does_not_depend_on_its_batch(encoder):
    inputs = tf.constant(
        np.concatenate([patches(log_mel(sound("tones", seed))) for seed in range(3)])
    )
    alone = np.concatenate([encoder(inputs[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(encoder(inputs), alone, atol=1e-4)


def test_the_exported_encoder_gives_the_same(encoder, tmp_path):
    info = export_encoder(
        encoder,
        tmp_path / "audio",
        name="m",
        modality=Modality.AUDIO,
        kind="pretrained",
        weights_sha256="0",
    )
    assert (info.dim, info.input_dtype, info.input_shape) == (200, "float32", (None, 187, 96))
    inputs = tf.constant(patches(log_mel(sound("tones", 5))))
    served = tf.saved_model.load(tmp_path / "audio").signatures["serving_default"](inputs=inputs)
    np.testing.assert_allclose(served["embedding"], encoder(inputs), atol=1e-5)
