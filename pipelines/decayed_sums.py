"""Sums over what came before, in which everything counts the less the longer it is ago.

They are found for all places at once, by doubling the stretch that each sum covers.
"""

import numpy as np


def decayed_sums(
    begins: np.ndarray, times: np.ndarray, weights: np.ndarray, half_life: float
) -> np.ndarray:
    """`[n]` float64: of each group and place the sum of the weights so far, each times 2^(-age /
    half-life), its age being seen from that place.

    What lies in other groups does not show in a sum, not even in its last bit.

    Args:
        begins: `[n]` bool, where a group begins; the first place begins one.
        times: `[n]`, ascending within a group.
        weights: `[n]` float64.
        half_life: in the unit of the times.
    """
    sums = weights.astype(np.float64)
    # What one place counts at the next; nothing of a group counts in the next one.
    factors = np.where(begins, 0.0, np.exp2(-np.diff(times, prepend=times[:1]) / half_life))
    longest = int(np.diff(np.flatnonzero(begins), append=len(begins)).max(initial=0))
    step = 1
    while step < longest:
        # Both right sides are whole arrays before anything is overwritten.
        sums[step:] = sums[step:] + factors[step:] * sums[:-step]
        factors[step:] = factors[step:] * factors[:-step]
        step *= 2
    return sums
