"""Imports of two libraries that talk while they are imported."""

import contextlib
import io
import types
import warnings

from tfrs_mm._runtime import import_optional


def import_keras_cv() -> types.ModuleType:
    """`keras_cv`, without the name of its backend on stdout, where a command's answer belongs."""
    with contextlib.redirect_stdout(io.StringIO()):
        return import_optional("keras_cv")


def import_tensorflow_io() -> types.ModuleType:
    """`tensorflow_io`, without the warning that its native operations do not load.

    What is used of it, the masks on spectrograms, is written in Python.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow_io")
        return import_optional("tensorflow_io")
