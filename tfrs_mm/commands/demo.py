"""`tfrs-mm demo`: from media bytes to a served answer, on an embedded default or on your data."""

import argparse
import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tfrs_mm.artefacts import MANIFEST, read_manifest, write_json
from tfrs_mm.commands import demo_table
from tfrs_mm.commands.arguments import add_config, config_of, new_parser
from tfrs_mm.commands.data_sources import sources
from tfrs_mm.commands.evaluate import STAGES, evaluate_run
from tfrs_mm.commands.export import export_run
from tfrs_mm.commands.preprocess import preprocess
from tfrs_mm.commands.weights import DEFAULT_WEIGHTS
from tfrs_mm.config import Config, load_config
from tfrs_mm.errors import UserError

T = TypeVar("T")
MODEL_NAME = "recommender"
_SHOWN_USERS = 3


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "demo",
        "Run the main job, from media bytes to a served answer.",
        "Without --input a synthetic catalogue with known tastes is written first. "
        "Then: Beam behaviour job,\n"
        "Beam media job, two-tower retrieval, index, DCN-v2 ranker, one SavedModel, "
        "a local server asked over\n"
        "REST and gRPC, and a table of recommendations and of held-out figures. "
        "Output: OUTPUT/input (only the\n"
        "synthetic one), data, run, model and report.json. "
        "What an earlier demo left in OUTPUT is used again\n"
        "where it was made from the same sources, and each such step says so.\n\n"
        "Example: tfrs-mm demo --output demo\n"
        "Example: tfrs-mm demo --input films --output films-demo --set retrieval.max_epochs=20",
    )
    parser.add_argument(
        "--input", type=pathlib.Path, default=None, metavar="DIR", help="your own catalogue"
    )
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("demo"), metavar="DIR")
    parser.add_argument("--weights", type=pathlib.Path, default=DEFAULT_WEIGHTS, metavar="DIR")
    parser.add_argument(
        "--items", type=int, default=400, metavar="N", help="of the synthetic catalogue"
    )
    parser.add_argument(
        "--users", type=int, default=800, metavar="N", help="of the synthetic catalogue"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="of the synthetic catalogue"
    )
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    preset = "base" if arguments.input is not None else "demo"
    config = config_of(arguments, base=load_config(preset=preset))
    Demo(arguments, config).run()
    return 0


class Demo:
    """The steps, each with its seconds and whether an earlier result was used again."""

    def __init__(self, arguments: argparse.Namespace, config: Config) -> None:
        self._arguments, self._config = arguments, config
        self._output: pathlib.Path = arguments.output
        self._steps: dict[str, dict[str, Any]] = {}

    def run(self) -> dict[str, Any]:
        """Runs every step and returns the report, which is also written to `report.json`."""
        self._output.mkdir(parents=True, exist_ok=True)
        input_dir = self._arguments.input or self._synthesize()
        self._install_weights()
        data_dir = self._preprocess(input_dir)
        loaded = self._train(data_dir)
        metrics = self._step("evaluate", lambda: self._evaluate(loaded))
        self._export(loaded)
        shown = self._step("serve and ask", lambda: self._serve(loaded))
        report = {
            "metrics": {stage: result["metrics"] for stage, result in metrics.items()},
            "slices": {stage: result["slices"] for stage, result in metrics.items()},
            "steps": self._steps,
            # Equal over REST, over gRPC and in this process: the step above fails otherwise.
            "served": [dataclasses.asdict(entry) for entry in shown],
            "config": self._config.to_dict(),
        }
        write_json(self._output / "report.json", report)
        print(demo_table.recommendations(shown))
        print(demo_table.figures(metrics))
        print(demo_table.seconds(self._steps))
        print(f"report: {self._output / 'report.json'}")
        return report

    def _step(self, name: str, work: Callable[[], T], reused: str | None = None) -> T:
        """Does one step and remembers how long it took."""
        print(f"[{name}] {'reused: ' + reused if reused else '...'}", flush=True)
        started = time.monotonic()
        result = work()
        seconds = time.monotonic() - started
        self._steps[name] = {"seconds": round(seconds, 2), "reused": reused is not None}
        if not reused:
            print(f"[{name}] {seconds:.1f} s", flush=True)
        return result

    def _synthesize(self) -> pathlib.Path:
        from tfrs_mm.data.synthetic import synthesize

        arguments, folder = self._arguments, self._output / "input"
        asked = {"items": arguments.items, "users": arguments.users, "seed": arguments.seed}
        reused = _describe(folder, "input", asked)
        self._step(
            "synthesise",
            lambda: None if reused else _synthesize_into(synthesize, folder, asked),
            reused,
        )
        return folder

    def _install_weights(self) -> None:
        from tfrs_mm.weights import install_weights

        def install() -> None:
            try:
                for line in install_weights(self._arguments.weights):
                    print(f"  {line}")
            except UserError as error:
                # Encoders of kind `auto` go on without; each says which one was taken in its place.
                print(f"  {error}")

        self._step("weights", install)

    def _preprocess(self, input_dir: pathlib.Path) -> pathlib.Path:
        folder = self._output / "data"
        made_from = sources(input_dir, self._config, self._arguments.weights)
        reused = _describe(folder, "data", made_from)

        def work() -> None:
            if not reused:
                _demand_own(folder, "data")
                preprocess(
                    input_dir, folder, self._config, self._arguments.weights, overwrite=True,
                    say=lambda line: print(f"  {line}"),
                )  # fmt: skip

        self._step("preprocess", work, reused)
        return folder

    def _train(self, data_dir: pathlib.Path) -> Any:
        import shutil

        from tfrs_mm.training.run import load_run
        from tfrs_mm.training.train import train

        folder = self._output / "run"
        data = read_manifest(data_dir, "data")["fingerprint"]
        reused = _describe(folder, "run", {"data": data, "config": self._config.fingerprint()})

        def work() -> Any:
            if not reused:
                _demand_own(folder, "run")
                if folder.exists():
                    shutil.rmtree(folder)
                if train(data_dir, folder, self._config)["resumed"]:
                    print("  went on from an interrupted training", flush=True)
            return load_run(folder, data_dir)

        return self._step("train", work, reused)

    def _evaluate(self, loaded: Any) -> dict[str, Any]:
        return {stage: evaluate_run(loaded, stage, "test")[0] for stage in STAGES}

    def _export(self, loaded: Any) -> None:
        folder = self._output / "model"
        versions = (
            sorted((int(p.name) for p in folder.glob("[0-9]*")), reverse=True)
            if folder.is_dir()
            else []
        )
        newest = folder / str(versions[0]) if versions else folder / "1"
        wanted = {"run": loaded.fingerprint, "index": self._config.index.kind}
        reused = _describe(newest, "model", wanted)
        self._step(
            "export",
            lambda: None if reused else export_run(loaded, folder, self._config.index.kind),
            reused,
        )

    def _serve(self, loaded: Any) -> list[demo_table.Shown]:
        """Asks over REST and gRPC and in this process, and demands three equal answers."""
        from serving.client import RecommenderClient
        from serving.server import Server

        users = demo_table.pick_users(loaded, _SHOWN_USERS)
        model_dir = self._output / "model"
        with (
            Server(model_dir, MODEL_NAME) as server,
            RecommenderClient(server.rest_url, MODEL_NAME) as rest,
            RecommenderClient(server.grpc_url, MODEL_NAME) as grpc,
            RecommenderClient.in_process(model_dir) as here,
        ):
            shown = []
            for user in users:
                answers = [client.recommend(user) for client in (rest, grpc, here)]
                for name, answer in zip(("gRPC", "in-process"), answers[1:], strict=True):
                    demo_table.demand_equal(user, answers[0], answer, name)
                shown.append(demo_table.show(loaded, user, answers[0]))
        return shown


def _describe(folder: pathlib.Path, kind: str, made_from: dict[str, Any]) -> str | None:
    """One line on an artefact that was made from just these sources; None if there is no such."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = read_manifest(folder, kind, made_from)
    except UserError:
        return None
    return f"{folder}, made {manifest['made_at']} from the same sources ({manifest['fingerprint']})"


def _demand_own(folder: pathlib.Path, kind: str) -> None:
    """Passes if `folder` may be replaced: it is not there, or is an artefact that a demo made.

    Raises:
        UserError: something else has that name.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        read_manifest(folder, kind)
    except UserError as error:
        raise UserError(
            f"the demo writes {folder}, but what is there was not made by a demo. "
            "Give another --output, or move it away."
        ) from error


def _synthesize_into(
    synthesize: Callable[..., Any], folder: pathlib.Path, asked: dict[str, int]
) -> None:
    from tfrs_mm.artefacts import write_manifest

    _demand_own(folder, "input")
    synthesize(folder, asked["items"], asked["users"], asked["seed"], overwrite=True)
    write_manifest(folder, "input", asked)
