"""The two towers: what is known of an item, and a user's history, as vectors of one space."""

from tfrs_mm.towers.alignment import ALIGNMENTS, Alignment, build_alignment, disagreement
from tfrs_mm.towers.events import EVENTS, KINDS, TIMES
from tfrs_mm.towers.interests import best_interest
from tfrs_mm.towers.item import ItemParts, ItemTables, ItemTower
from tfrs_mm.towers.moments import moments_of
from tfrs_mm.towers.user import SEQUENCES, UserTower, last_place

__all__ = [
    "ALIGNMENTS", "EVENTS", "KINDS", "SEQUENCES", "TIMES", "Alignment", "ItemParts", "ItemTables",
    "ItemTower", "UserTower", "best_interest", "build_alignment", "disagreement", "last_place",
    "moments_of",
]  # fmt: skip
