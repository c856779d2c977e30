"""Which items and users are held out of training altogether, to ask how well new ones fare.

It is a matter of the id, the share and the seed alone: not of the events, of the other ids, or of
their order. Who is held out at some share is so at every larger one.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

import numpy as np

_BYTES = 8  # of a hash


def held_out(
    ids: Iterable[str], share: float, seed: int, owner: Literal["item", "user"]
) -> np.ndarray:
    """`[n]` bool, True for about this share of the ids.

    Args:
        ids: of items or users.
        share: from 0 to 1.
        seed: another one chooses others.
        owner: whose ids they are; an item and a user of the same id are chosen apart.
    """
    below = int(share * 256**_BYTES)
    prefix = hashlib.blake2b(f"{owner} {seed} ".encode(), digest_size=_BYTES)

    def number_of(text: str) -> int:
        digest = prefix.copy()
        digest.update(text.encode("utf-8"))
        return int.from_bytes(digest.digest(), "big")

    return np.array([number_of(text) < below for text in ids], bool)
