"""Texts of a source as cells of ours: one line each, without what no table can hold."""

import re
from collections.abc import Iterable

# Control characters, other ends of lines, and lone surrogates, which have no UTF-8 form.
_BLANKS = re.compile("[\\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_SEPARATOR = "|"


def one_line(text: object, max_chars: int | None = None) -> str:
    """A text with every run of white space as one blank; empty for what is no text.

    Args:
        text: of any type, as a source of JSON may have it.
        max_chars: cut to so many.
    """
    if not isinstance(text, str):
        return ""
    text = _BLANKS.sub(" ", _SURROGATES.sub(_REPLACEMENT, text)).strip(" ")
    return text if max_chars is None else text[:max_chars].rstrip(" ")


def joined_categories(values: Iterable[object]) -> str:
    """Values with a vertical bar between them, each once; one inside a value becomes a slash."""
    texts = (one_line(value).replace(_SEPARATOR, "/") for value in values)
    return _SEPARATOR.join(dict.fromkeys(text for text in texts if text))
