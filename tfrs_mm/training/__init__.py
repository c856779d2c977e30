"""Training both stages, and the run folder they end up in."""
