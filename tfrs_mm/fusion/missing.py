"""What stands in for a modality that an item lacks, before any fusion: nothing, or a vector.

`COMPLETIONS` holds the layers by name. Each takes a `ModalityBatch` and gives one in which more is
present; what is present already stays as it is. As they run behind modality dropout, in training
and for every vector that is served alike, a modality that was hidden is completed just as one that
was never there.
"""

import numpy as np
import tensorflow as tf

from tfrs_mm.fusion.modalities import ModalityBatch


class LearnedMissing(tf.keras.layers.Layer):
    """A learned vector for each modality wherever it is absent, so that nothing is absent any more.

    Absence can then speak for itself: an item without a picture is often another kind of item.
    """

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        # About as long as the modalities themselves; zeros would have no direction.
        self._vectors = self.add_weight(
            "vectors",
            (modalities, size),
            initializer=tf.keras.initializers.RandomNormal(stddev=size**-0.5),
        )

    def call(self, inputs: ModalityBatch) -> ModalityBatch:
        """The batch with everything present."""
        values = tf.where(inputs.present[..., None], inputs.values, self._vectors)
        return ModalityBatch(values, tf.ones_like(inputs.present))


class ImputedMissing(tf.keras.layers.Layer):
    """What an item's present modalities predict of an absent one; their mean if there are several.

    Modality m is predicted from k by ridge regression over the items that have both,

        x_m = c_km + (x_k - c_mk) B_km,   B_km = (X_k' X_k / n + r v_k I)^-1 X_k' X_m / n,

    with `c` the means over these items, `X` centred by them, `v_k` the mean variance of a column of
    `X_k` and `r` the ridge (Hoerl and Kennard, Ridge regression, 1970; Tran et al., Missing
    modalities imputation via cascaded residual autoencoder, 2017, learn the same by a network).
    Closed form rather than a network that is trained along: it is fitted once before training, is
    the same whatever was trained, and lies in the weights, so that training, reloading and export
    compute the same. An item with nothing present, or only modalities that never occur together
    with the absent one, is left as it is.
    """

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        shapes = {
            "coefficients": (modalities, modalities, size, size),
            "offsets": (modalities, modalities, size),
            "fitted": (modalities, modalities),
        }
        self._coefficients, self._offsets, self._fitted = (
            self.add_weight(name, shape, initializer="zeros", trainable=False)
            for name, shape in shapes.items()
        )
        super().build(input_shape)

    def fit(self, values: np.ndarray, present: np.ndarray, ridge: float) -> None:
        """Fits the regressions; to be called once, on what `call` is given later.

        Args:
            values: `[items, modality, size]`.
            present: `[items, modality]` bool.
            ridge: share of a modality's mean variance that is added to each of its components.
        """
        modalities, size = values.shape[1:]
        if not self.built:
            self.build(ModalityBatch(values.shape, present.shape))
        coefficients = np.zeros((modalities, modalities, size, size))
        offsets = np.zeros((modalities, modalities, size))
        fitted = np.zeros((modalities, modalities))
        for known in range(modalities):
            for absent in range(modalities):
                both = present[:, known] & present[:, absent]
                if known != absent and both.any():
                    coefficients[known, absent], offsets[known, absent] = _ridge_regression(
                        values[both, known], values[both, absent], ridge
                    )
                    fitted[known, absent] = 1.0
        self._coefficients.assign(coefficients)
        self._offsets.assign(offsets)
        self._fitted.assign(fitted)

    def call(self, inputs: ModalityBatch) -> ModalityBatch:
        """The batch with what can be predicted present."""
        values = tf.where(inputs.present[..., None], inputs.values, 0.0)
        weights = tf.cast(inputs.present, values.dtype)
        known = tf.einsum("bk,km->bm", weights, self._fitted)
        # Offsets and coefficients are zeros where nothing was fitted.
        predicted = tf.einsum("bks,kmst->bmt", values, self._coefficients)
        predicted += tf.einsum("bk,kmt->bmt", weights, self._offsets)
        predicted = tf.math.divide_no_nan(predicted, known[..., None])
        return ModalityBatch(
            tf.where(inputs.present[..., None], values, predicted), inputs.present | (known > 0)
        )


COMPLETIONS = {"learned": LearnedMissing, "imputed": ImputedMissing}


def _ridge_regression(
    inputs: np.ndarray, targets: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients `[size, size]` and offset `[size]` of `targets` from `inputs`."""
    inputs, targets = inputs.astype(np.float64), targets.astype(np.float64)
    input_mean, target_mean = inputs.mean(axis=0), targets.mean(axis=0)
    centred = inputs - input_mean
    covariance = centred.T @ centred / len(inputs)
    added = ridge * np.trace(covariance) / len(covariance)
    if added == 0.0:  # items that are all the same say nothing but the mean
        return np.zeros_like(covariance), target_mean
    regular = covariance + added * np.eye(len(covariance))
    cross = centred.T @ (targets - target_mean) / len(inputs)
    coefficients = np.linalg.solve(regular, cross)
    return coefficients, target_mean - input_mean @ coefficients
