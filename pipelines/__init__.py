"""The Beam jobs: `python -m pipelines.behaviour` and `python -m pipelines.media`."""
