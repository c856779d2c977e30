"""Settings of the quickest fit there is."""

SMALLEST = {
    "retrieval.dim": 4, "retrieval.heads": 1, "retrieval.max_epochs": 1,
    "retrieval.average_decay": 0.0, "fusion.reduced_dim": 4, "training.max_validation_queries": 16,
    "training.evaluation_batch": 16,
}  # fmt: skip
