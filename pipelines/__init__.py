"""The Beam jobs: `python -m pipelines.behaviour` and `python -m pipelines.media`."""

import logging

from tfrs_mm._runtime import import_optional


def _import_beam_quietly() -> None:
    """Imports Beam without its warning that Google's clients, which no job uses, are absent."""
    disabled, handlers = logging.root.manager.disable, list(logging.root.handlers)
    logging.disable(logging.WARNING)
    try:
        import_optional("apache_beam")
    finally:
        logging.disable(disabled)
        # A warning at import also gives the root logger a handler, which its owner should choose.
        logging.root.handlers[:] = handlers


_import_beam_quietly()
