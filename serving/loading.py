"""Finding the versions of a SavedModel in a folder, and loading one into this process.

A model's ops must be registered before it is loaded. TensorFlow's own always are; those of ScaNN
are registered by importing it, which happens here once a model turns out to need them.
"""

import logging
import os
import pathlib
import re
from typing import Any

from tfrs_mm import _runtime
from tfrs_mm.errors import UserError

logger = logging.getLogger("serving")

_SAVED_MODEL = "saved_model.pb"
_TAG = "serve"
_UNREGISTERED_OP = re.compile(r"Op type not registered '([^']+)'")
# Libraries whose import registers ops, by how the ops' names begin.
_OP_LIBRARIES = (("Scann>", "scann.scann_ops.py.scann_ops"),)


def find_versions(model_dir: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
    """The version folders `model_dir/<number>/`, in ascending order.

    Raises:
        UserError: there is none, or one of them holds no model.
    """
    root = pathlib.Path(model_dir)
    remedy = "Give the folder that `tfrs-mm export` wrote."
    if not root.is_dir():
        raise UserError(f"model folder {root} does not exist. {remedy}")
    if (root / _SAVED_MODEL).is_file():
        raise UserError(
            f"{root} holds {_SAVED_MODEL} itself, but a model folder holds versions, such as "
            f"{root.name}/1/{_SAVED_MODEL}. If {root.name!r} is a version, "
            "give the folder above it."
        )
    numbered = sorted(
        (int(path.name), path)
        for path in root.iterdir()
        if path.is_dir() and re.fullmatch("[0-9]+", path.name)
    )
    if not numbered:
        raise UserError(
            f"{root} holds no model: it has no version folder such as 1/{_SAVED_MODEL}. {remedy}"
        )
    for _, path in numbered:
        if not (path / _SAVED_MODEL).is_file():
            raise UserError(
                f"{path} holds no model: it has no {_SAVED_MODEL}. Export it again or remove it."
            )
    return dict(numbered)


def read_signature_defs(path: pathlib.Path) -> dict[str, Any]:
    """Every SignatureDef of the model in a version folder, by name.

    Raises:
        UserError: the file is damaged, or holds nothing that can be served.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString((path / _SAVED_MODEL).read_bytes())
    except DecodeError as error:
        raise UserError(
            f"{path / _SAVED_MODEL} is damaged: {error}. Export the model again."
        ) from error
    for graph in saved.meta_graphs:
        if _TAG in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise UserError(
        f"{path} holds no graph with the tag {_TAG!r}, so it cannot be served. Export it again."
    )


def load(path: pathlib.Path) -> Any:
    """The loaded SavedModel of a version folder.

    Raises:
        UserError: it cannot be loaded; where a library's ops are missing, the extra to install is
            named.
    """
    import tensorflow as tf

    failures = (OSError, RuntimeError, ValueError, tf.errors.OpError)
    try:
        return tf.saved_model.load(str(path), tags=[_TAG])
    except failures as error:
        unregistered = _UNREGISTERED_OP.search(str(error))
        if not unregistered:
            raise _not_loaded(path, error) from error
        op = unregistered.group(1)
        _register(op, path, error)
    try:
        return tf.saved_model.load(str(path), tags=[_TAG])
    except failures as error:
        raise _not_loaded(path, error) from error


def _register(op: str, path: pathlib.Path, cause: Exception) -> None:
    for prefix, library in _OP_LIBRARIES:
        if op.startswith(prefix):
            package = library.split(".")[0]
            logger.warning(
                "%s uses the op %s, which comes with %s; importing that.", path, op, package
            )
            try:
                _runtime.import_optional(library)
            except ImportError as error:
                raise UserError(
                    f"{path} uses the op {op}, which is not registered here. {error}"
                ) from error
            return
    raise _not_loaded(path, cause) from cause


def _not_loaded(path: pathlib.Path, error: Exception) -> UserError:
    reason = str(error).strip().splitlines()[0]
    return UserError(f"{path} cannot be loaded: {reason}")
