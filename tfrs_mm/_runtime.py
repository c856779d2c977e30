"""Settings of the process that must hold before TensorFlow's Keras is first touched."""

import importlib
import os
import random
import sys
import types

from tfrs_mm.errors import MissingExtraError

# Everything that is optional and heavy, with the extra that installs it.
_EXTRA_OF = {
    "apache_beam": "beam",
    "av": "media",
    "PIL": "media",
    "keras_cv": "media",
    "tensorflow_io": "media",
    "google_crc32c": "beam",
    "isal": "beam",
    "pyarrow": "beam",
    "scann": "scann",
    "grpc": "serving",
    "tensorflow_serving": "serving",
}


def select_legacy_keras() -> None:
    """Makes `tf.keras` mean Keras 2, which TensorFlow Recommenders is written against.

    Raises:
        RuntimeError: `tf.keras` is Keras 3 already, or `TF_USE_LEGACY_KERAS` was set to 0.
    """
    asked = os.environ.get("TF_USE_LEGACY_KERAS", "1").strip().lower()
    if asked not in ("1", "true"):
        raise RuntimeError(
            f"TF_USE_LEGACY_KERAS is {asked!r}, but tfrs_mm needs Keras 2 (TF_USE_LEGACY_KERAS=1). "
            "Unset it, or run tfrs_mm in a process of its own."
        )
    active = _active_keras()
    if active not in (None, "tf_keras"):
        raise RuntimeError(
            f"tf.keras is bound to the package {active!r} already, but tfrs_mm needs Keras 2 "
            "(tf_keras). Import tfrs_mm before anything that uses tf.keras, "
            "or set TF_USE_LEGACY_KERAS=1."
        )
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


def _active_keras() -> str | None:
    """The package that `tf.keras` is bound to; None while nobody has touched it."""
    loader = vars(sys.modules["tensorflow"]).get("keras") if "tensorflow" in sys.modules else None
    # TensorFlow's loader stays a stand-in until its first use; asking it for anything would be that
    # use.
    if loader is None or vars(loader).get("_tfll_initialized") is False:
        return None
    return loader.__name__.split(".")[0]


def quiet_tensorflow() -> None:
    """Keeps TensorFlow's start-up notes off stderr, unless the user chose a level."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def import_optional(name: str) -> types.ModuleType:
    """The module `name`; where it is not installed, an error that names the extra."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        extra = _EXTRA_OF[name.split(".")[0]]
        raise MissingExtraError(
            f"{name} could not be imported ({error}). Install it with: "
            f"pip install 'tfrs-mm[{extra}]'"
        ) from error


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow for a run; single operations take seeds of their own."""
    import numpy as np
    import tensorflow as tf

    random.seed(seed)
    np.random.seed(seed % 2**32)
    tf.keras.utils.set_random_seed(seed)
