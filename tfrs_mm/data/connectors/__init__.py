"""Connectors: well-known downloads, as they come, to the two tables that the jobs read."""
