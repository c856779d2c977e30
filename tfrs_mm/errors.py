"""The one exception for a user's mistake: the command line shows its text without a traceback.

A full disk is told in the same way, wherever it is met.
"""

import errno
import os
import re
from collections.abc import Iterator

_NO_ROOM = "|".join(re.escape(os.strerror(code)) for code in (errno.ENOSPC, errno.EDQUOT))
_NO_ROOM_AT = re.compile(rf"(?:{_NO_ROOM})(?:: '(?P<path>[^'\n]*)')?")


class UserError(ValueError):
    """A mistake of the user: names the argument, the rule, what was received, the remedy."""


class MissingExtraError(UserError, ImportError):
    """An optional package is not installed; the text names the extra that installs it."""


def full_disk(error: BaseException | str) -> UserError | None:
    """What to tell the user where this error, or one behind it, says that a disk is full.

    It goes by the text: that is all that Beam, Arrow and TensorFlow leave of the operating system's
    error.
    """
    found = [match["path"] for text in _texts_of(error) for match in _NO_ROOM_AT.finditer(text)]
    if not found:
        return None
    path = next(filter(None, found), None)
    where = f" for {path}" if path else ""
    return UserError(
        f"the disk is full, or its quota is used up: no space{where}. "
        "Nothing half-written is left. Free some, or name a folder on another disk, and run the "
        "command again."
    )


def _texts_of(error: BaseException | str) -> Iterator[str]:
    """What the error says, and what those behind it say."""
    met: set[int] = set()  # a cause may lead back to where it came from
    while isinstance(error, BaseException) and id(error) not in met:
        met.add(id(error))
        yield str(error)
        error = error.__cause__ or error.__context__ or ""
    if isinstance(error, str):
        yield error
