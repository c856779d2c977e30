"""The logs of an input folder: which files they are, and which columns they have."""

from collections.abc import Sequence

from pipelines.input_folder import InputFile, InputFolder
from pipelines.tables import UnreadableTable, column_names, log_dialect
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError

USER_ID, ITEM_ID, EVENT, TIMESTAMP, ORDER = "user_id", "item_id", "event", "timestamp", "order"
RATING, DURATION = "rating", "duration"
REQUIRED = (USER_ID, ITEM_ID, TIMESTAMP)
_OFF = {"values": '"none"'}  # of settings that are not switched off by 0


def find_files(folder: InputFolder, settings: DataConfig) -> list[InputFile]:
    """The log files of the folder that match `data.interactions`, in the order of their names.

    Raises:
        UserError: the pattern leaves the folder or matches nothing, a file is no log, or none has a
            column that the settings speak of.
    """
    pattern = settings.interactions
    files = folder.files(pattern, "data.interactions")
    if not files:
        raise UserError(
            f"`data.interactions` is {pattern!r}, which matches no file in {folder.root}. "
            "Correct the pattern or the input folder."
        )
    asked = asked_columns(settings)
    wanted = tuple(asked)
    found = {name for file in files for name in log_columns(file, settings, wanted)}
    if not found:
        column_names(files[0], REQUIRED, log_dialect(settings))  # tells what is wrong with it
    for column in wanted:
        if column not in found:
            raise UserError(
                f"`data.{asked[column]}` is {getattr(settings, asked[column])}, but no file that "
                f"matches {pattern!r} has a column {column!r}. Name it in "
                f"`data.interaction_columns`, or give {_OFF.get(asked[column], '0')}."
            )
    return files


def asked_columns(settings: DataConfig) -> dict[str, str]:
    """Columns that are read where a setting asks for them, with the name of that."""
    asked = {RATING: "min_rating", DURATION: "min_play_seconds"}
    found = {column: name for column, name in asked.items() if getattr(settings, name)}
    if settings.values != "none":
        found.setdefault(settings.values, "values")
    return found


def log_columns(file: InputFile, settings: DataConfig, wanted: Sequence[str] = ()) -> list[str]:
    """The columns of a log, by our names; none where it cannot be read and need not be.

    Raises:
        UserError: as `column_names` does.
    """
    try:
        return column_names(file, REQUIRED, log_dialect(settings), wanted)
    except UnreadableTable:
        if settings.unreadable_files == "stop":
            raise
        return []
