"""Serving an exported model: a local server that speaks TF Serving's REST and gRPC, and a client
for both.

`serving.server` runs in one process what TF Serving would run in a container; `serving.client` asks
either. Nothing here knows how the model was made: the names it takes and gives are in
`tfrs_mm.signatures`.
"""

DEFAULT_MODEL_NAME = "recommender"
