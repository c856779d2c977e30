"""Makes the helpers beside this file importable for the tests of this folder."""

import importlib.util
import pathlib
import sys

_NAME = "connector_downloads"
_SPEC = importlib.util.spec_from_file_location(
    _NAME, pathlib.Path(__file__).with_name(f"{_NAME}.py")
)
_MODULE = importlib.util.module_from_spec(_SPEC)
sys.modules[_NAME] = _MODULE
_SPEC.loader.exec_module(_MODULE)
