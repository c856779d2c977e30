"""`tfrs-mm export`: a run as one SavedModel."""

import argparse
import pathlib

from tfrs_mm.commands.arguments import new_parser


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "export",
        "Export a run as one SavedModel for TF Serving.",
        "Writes MODEL_DIR/<version>/, the next version, whole or not at all: "
        "both stages, the index, the\n"
        "vocabularies and the known users' histories, "
        "with the signatures serving_default (= recommend),\n"
        "recommend_diversified, retrieve and similar_items; and where the user tower reads times\n"
        "or kinds of events, recommend_events and retrieve_events. --index exact loads in stock\n"
        "TF Serving; --index scann needs a server with ScaNN's operations.\n\n"
        "Example: tfrs-mm export --run runs/films --output models/films",
    )
    parser.add_argument("--run", required=True, type=pathlib.Path, metavar="RUN", dest="run_dir")
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="MODEL_DIR")
    parser.add_argument(
        "--index", choices=["exact", "scann"], default=None,
        help="how the corpus is searched (default: index.kind of the run's configuration)",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=pathlib.Path, default=None, metavar="DATA", help="if it was moved"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm.training.run import load_run

    loaded = load_run(arguments.run_dir, arguments.data)
    version = export_run(loaded, arguments.output, arguments.index or loaded.config.index.kind)
    print(f"model: {version}")
    return 0


def export_run(loaded: object, model_dir: pathlib.Path, index_kind: str) -> pathlib.Path:
    """Writes the next version of the served model.

    Args:
        loaded: a `tfrs_mm.training.run.Run`.
        model_dir: holds all versions.
        index_kind: `exact` or `scann`.

    Returns:
        The version's folder.
    """
    from tfrs_mm.export import write_saved_model

    recommender = make_recommender(loaded, index_kind)
    return write_saved_model(
        recommender,
        model_dir,
        loaded.config,
        loaded.knowledge.schema,
        loaded.fingerprint,
        index_kind,
    )


def make_recommender(loaded: object, index_kind: str) -> object:
    """The served model of a run, in this process."""
    import numpy as np

    from tfrs_mm.data.input_pipeline import read_queries
    from tfrs_mm.data.vocabulary import Vocabulary
    from tfrs_mm.errors import UserError
    from tfrs_mm.export import Recommender
    from tfrs_mm.training.context import context_spec, tower_user_contexts, user_contexts

    knowledge, config, schema = loaded.knowledge, loaded.config, loaded.knowledge.schema
    if config.export.k > schema.num_items:
        raise UserError(
            f"`export.k` is {config.export.k}, but the corpus holds {schema.num_items} items. "
            "Lower `export.k`."
        )
    model = loaded.model
    if index_kind == "scann":
        from tfrs_mm.index.scann import ScannIndex

        # A user's history comes off what was fetched.
        index = ScannIndex(
            loaded.item_vectors,
            fetch=config.ranking.candidates + schema.max_history,
            leaves=config.index.leaves,
            leaves_to_search=config.index.leaves_to_search,
            reordering=config.index.reordering,
        )
        model = model.with_index(index)

    users = read_queries(knowledge.data_dir, schema, "users")
    histories = np.zeros((schema.num_users + 1, schema.max_history), np.int32)
    histories[users.user] = users.history_items
    contexts = user_contexts(users, context_spec(config, schema), model.ranker, schema)
    contexts |= tower_user_contexts(config, users, schema)
    lengths = np.zeros(schema.num_users + 1, np.int64)
    lengths[users.user] = users.seen.lengths
    order = np.argsort(users.user, kind="stable")
    seen_rows = users.seen.take(order).values
    return Recommender(
        model,
        knowledge.catalogue.item_ids,
        ["", *knowledge.users.ids],
        histories,
        (seen_rows, np.concatenate([[0], np.cumsum(lengths)])),
        config.export.k,
        contexts,
        ["", *Vocabulary.read(knowledge.data_dir / "vocabulary" / "events.txt").ids],
    )
