"""tfrs_mm: a two-stage multimodal recommender on TensorFlow, from media bytes to served answer."""

from tfrs_mm import _runtime

_runtime.select_legacy_keras()
_runtime.quiet_tensorflow()

from tfrs_mm.config import Config, load_config  # noqa: E402
from tfrs_mm.errors import UserError  # noqa: E402
from tfrs_mm.schema import Modality, Schema  # noqa: E402

__version__ = "0.1.0"
__all__ = ["Config", "Modality", "Schema", "UserError", "__version__", "load_config"]
