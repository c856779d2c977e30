"""The two towers: what is known of an item, and a user's history, as vectors of one space."""

from tfrs_mm.towers.item import ItemTables, ItemTower
from tfrs_mm.towers.user import UserTower, last_place

__all__ = ["ItemTables", "ItemTower", "UserTower", "last_place"]
