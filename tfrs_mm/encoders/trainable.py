"""What a small encoder adds to the contract, so that it can be trained without labels.

It makes random views of an input; two views of one input are to be told from those of others (Chen
et al., SimCLR, 2020). The training itself is elsewhere.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.base import Encoder


class TrainableEncoder(Encoder):
    """A small encoder: prepared inputs, random views of them, features, a centre.

    The embedding is the unit vector of the features less their mean over the training inputs:
    networks put most of a feature vector into what all inputs share.
    """

    def __init__(self, dim: int, input_spec: tf.TensorSpec, name: str) -> None:
        super().__init__(name=name)
        self.dim, self.input_spec = dim, input_spec
        self.centre = tf.Variable(tf.zeros([dim]), trainable=False, name="centre")

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        features = self.features(self.prepare(inputs), training=False)
        return tf.math.l2_normalize(features - self.centre, axis=1)

    def prepare(self, inputs: tf.Tensor) -> Any:
        """What views are made of: floats, or a ragged tensor of token rows."""
        raise NotImplementedError

    def view(self, prepared: Any) -> Any:
        """Another random look at each input of the batch, of the same kind as `prepared`."""
        raise NotImplementedError

    def features(self, prepared: Any, training: bool) -> tf.Tensor:
        """`[batch, dim]`, neither centred nor normalised."""
        raise NotImplementedError

    def count(self, inputs: tf.Tensor) -> None:
        """Takes from all training inputs what is counted and not learnt.

        Nothing, unless a subclass says.
        """

    def batch_norms(self) -> list[tf.keras.layers.BatchNormalization]:
        """The layers whose running statistics must be taken after training."""
        return [
            module
            for module in self.submodules
            if isinstance(module, tf.keras.layers.BatchNormalization)
        ]


def draw_kernels(variables: list[tf.Variable], seed: int) -> None:
    """Sets every kernel from a normal distribution that keeps a relu network's variance (He, 2015).

    Keras draws from a global generator; this depends on the seed alone.
    """
    generator = np.random.default_rng(seed)
    for variable in variables:
        shape = variable.shape.as_list()
        if len(shape) < 2:
            continue
        is_depthwise = "depthwise" in variable.name
        fan_in = math.prod(shape[:2]) if is_depthwise else math.prod(shape[:-1])
        variable.assign(generator.normal(0.0, math.sqrt(2.0 / fan_in), shape).astype(np.float32))
