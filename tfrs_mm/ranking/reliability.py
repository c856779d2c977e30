"""Whether probabilities mean what they say: of what has 20 per cent, one in five comes true."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ReliabilityTable:
    """Predictions in bins; only bins that hold some.

    Attributes:
        counts: `[bins]`, predictions in each.
        predicted: `[bins]`, their mean probability.
        observed: `[bins]`, the share that came true.
    """

    counts: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance of the two over all predictions.

        Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3.
        """
        distances = np.abs(self.observed - self.predicted)
        return float((self.counts * distances).sum() / self.counts.sum())

    def rows(self) -> list[dict[str, float]]:
        """One line for each bin, as a report holds it."""
        return [
            {"count": int(count), "predicted": float(predicted), "observed": float(observed)}
            for count, predicted, observed in zip(
                self.counts, self.predicted, self.observed, strict=True
            )
        ]


def reliability_table(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15, even: str = "mass"
) -> ReliabilityTable:
    """Predictions, sorted and cut into bins.

    Args:
        probabilities: `[n]`, at least one.
        labels: `[n]`, 1 for what came true, 0 for what did not.
        bins: how many.
        even: bins that hold equally many predictions ("mass"), or that are equally wide ("width").
            Most candidates of a list are unlikely, and lie in the first of wide bins all together.
            Equal predictions share a bin either way.
    """
    order = np.argsort(probabilities, kind="stable")
    probabilities, labels = np.asarray(probabilities, np.float64)[order], np.asarray(labels)[order]
    if even == "mass":
        # The bin of the first prediction that is as large.
        first = np.searchsorted(probabilities, probabilities, side="left")
        places = first * bins // len(probabilities)
    else:
        places = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins)
    some = counts > 0
    predicted = np.bincount(places, probabilities, bins)[some] / counts[some]
    observed = np.bincount(places, labels, bins)[some] / counts[some]
    return ReliabilityTable(counts[some], predicted, observed)
