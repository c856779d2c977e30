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
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        # TensorFlow binds `tf.keras` lazily; what is in its namespace by now was touched by someone.
        loaded = getattr(vars(tensorflow).get("keras"), "_tfll_module", vars(tensorflow).get("keras"))
        version = getattr(loaded, "__version__", None)
        if callable(version):
            version = version()
        if version is not None and not str(version).startswith("2."):
            raise RuntimeError(
                f"tf.keras is Keras {version} already, but tfrs_mm needs Keras 2. "
                "Import tfrs_mm before anything that uses tf.keras, or set TF_USE_LEGACY_KERAS=1."
            )
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


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
            f"{name} could not be imported ({error}). Install it with: pip install 'tfrs-mm[{extra}]'"
        ) from error


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow for a whole run; single operations take seeds of their own."""
    import numpy as np
    import tensorflow as tf

    random.seed(seed)
    np.random.seed(seed % 2**32)
    tf.keras.utils.set_random_seed(seed)
