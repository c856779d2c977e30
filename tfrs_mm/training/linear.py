"""The linear item-to-item models of a run: fitted on training events, kept in its folder."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from tfrs_mm.config import LinearConfig
from tfrs_mm.data.examples import HISTORY_ITEM, USER
from tfrs_mm.data.item_neighbours import ItemNeighbours
from tfrs_mm.data.linear_items import Events, LinearFit, fit_following, fit_similar
from tfrs_mm.data.npz import DAMAGED, write_arrays
from tfrs_mm.errors import UserError
from tfrs_mm.progress import Progress

LINEAR_FILE = "linear_items.npz"
_FITS = {"similar": fit_similar, "following": fit_following}
_FIELDS = [field.name for field in dataclasses.fields(ItemNeighbours)]

LinearModels = Mapping[str, ItemNeighbours]  # by name


def fit_linear(
    windows: Mapping[str, np.ndarray], is_target: np.ndarray, num_items: int, settings: LinearConfig
) -> dict[str, ItemNeighbours]:
    """Fits the models on some events.

    Args:
        windows: of `read_windows`.
        is_target: `[windows, time]` bool, the events.
        num_items: of the catalogue.
        settings: the section `linear`.

    Returns:
        The models by name; none where the settings want none.
    """
    if not settings.top:
        return {}
    users = np.broadcast_to(windows[USER][:, None], is_target.shape)[is_target]
    events = Events.of(users, windows[HISTORY_ITEM][is_target], num_items, settings.max_items)
    fit = LinearFit(settings.ridge, settings.top)
    models = {}
    with Progress("fit linear models", total=len(_FITS), unit="models") as progress:
        for name, solve in _FITS.items():
            models[name] = solve(events, fit)
            progress.advance()
    return models


def write_linear(models: LinearModels, path: str | os.PathLike[str]) -> None:
    """Writes the models, whole or not at all."""
    write_arrays(
        path,
        {f"{name}/{field}": getattr(model, field) for name, model in models.items()
         for field in _FIELDS},
    )  # fmt: skip


def read_linear(path: str | os.PathLike[str], settings: LinearConfig) -> dict[str, ItemNeighbours]:
    """Reads what `write_linear` wrote; nothing where the settings want no models.

    Raises:
        UserError: the file is not there, or holds something else.
    """
    if not settings.top:
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {
                name: ItemNeighbours(*(arrays[f"{name}/{field}"] for field in _FIELDS))
                for name in _FITS
            }
    except DAMAGED as error:
        raise UserError(
            f"linear models {path} cannot be read: {error}. Train again with `tfrs-mm train`."
        ) from error
