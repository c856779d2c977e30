from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture
def without_graphs() -> Iterator[None]:
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
