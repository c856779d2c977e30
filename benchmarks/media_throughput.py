"""Items a second of the media job, modality by modality, against a loop of one item at a time.

Synthetic media go in turn through `pipelines.media`, with the encoder of one modality, and through
`one_item_form.py`, each in a process of its own; then it is looked whether both found the same
embeddings. Start-up, the time of a catalogue of a few items, is taken off both before they are
compared: it is TensorFlow's import and the loading of the encoder. The encoder's share is what the
same media take in the job's batches, decoded already, of the job's time. Pretrained encoders are
used where `--weights` holds them, else small ones, trained on the synthetic media. Run it by hand:
`python benchmarks/media_throughput.py --weights weights`.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import sys
import tempfile

import child_runs
import numpy as np
from child_runs import Run

from pipelines.item_embeddings import stored_embeddings
from pipelines.media_inputs import encoders_in, item_schema
from tfrs_mm.commands.encoders import prepare_encoders
from tfrs_mm.commands.media_sample import MediaSample
from tfrs_mm.config import Config
from tfrs_mm.data.synthetic import synthesize
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import Modality

HERE = pathlib.Path(__file__).resolve().parent
JOB, LOOP = "job", "one item at a time"

_EVENTS = (5, 6)  # of a user; nobody looks at them
_FASTER = 1.0  # target: the job is no slower than the loop
_TOLERANCE = 1e-3  # of the distance of two embeddings, by their length


class Bench:
    """A catalogue, one of a few items, and an encoder of each modality, in a folder."""

    def __init__(
        self, folder: pathlib.Path, items: int, few: int, weights: pathlib.Path, seed: int
    ) -> None:
        self.folder, self.config = folder, Config()
        for name, count in (("many", items), ("few", few)):
            synthesize(folder / name, count, num_users=2, seed=seed, events_per_user=_EVENTS)
            (folder / f"vocabulary of {name}").mkdir()
            lines = (folder / name / "items.csv").read_text("utf-8").splitlines()[1:]
            ids = tuple(line.split(",")[0] for line in lines)
            Vocabulary(ids).write(folder / f"vocabulary of {name}" / "items.txt")
        sample = MediaSample(folder / "many", self.config)
        encoders, self.notes = prepare_encoders(
            self.config, weights, folder / "all encoders", sample, folder / "many"
        )
        for modality, encoder in encoders.items():
            shutil.move(encoder, folder / "encoders" / modality.value / modality.value)
        self.modalities = list(encoders)

    def command(self, form: str, modality: Modality, catalogue: str) -> list[str]:
        """What embeds one modality of the catalogue, "many" or "few"."""
        encoders = self.folder / "encoders" / modality.value
        arguments = ["--input", str(self.folder / catalogue)]
        output = self._output(form, modality, catalogue)
        if form == JOB:
            return [
                "-m", "pipelines.media", *arguments, "--output", str(output), "--overwrite",
                "--encoders", str(encoders),
                "--vocabulary", str(self.folder / f"vocabulary of {catalogue}"),
            ]  # fmt: skip
        encoder = str(encoders / modality.value)
        return [
            str(HERE / "one_item_form.py"), *arguments, "--encoder", encoder,
            "--output", str(output),
        ]  # fmt: skip

    def largest_difference(self, modality: Modality) -> float:
        """Of two embeddings of one item, the job's and the loop's, by their length.

        Raises:
            AssertionError: they are not of the same items.
        """
        vocabulary_dir = self.folder / "vocabulary of many"
        sources = encoders_in(self.folder / "encoders" / modality.value)
        schema = item_schema(vocabulary_dir, self.config, sources)
        items_dir = self._output(JOB, modality, "many") / "items"
        with tempfile.TemporaryDirectory() as scratch:
            stored = stored_embeddings(items_dir, schema, pathlib.Path(scratch))[modality]
            loop = np.load(self._output(LOOP, modality, "many"))
            rows = Vocabulary.read(vocabulary_dir / "items.txt").rows_of(loop["item_ids"])
            assert sorted(rows) == stored.rows.tolist(), "the job embedded other items"
            difference = np.linalg.norm(stored.by_row[rows] - loop["embeddings"], axis=1)
            return float((difference / np.linalg.norm(loop["embeddings"], axis=1)).max())

    def _output(self, form: str, modality: Modality, catalogue: str) -> pathlib.Path:
        suffix = "" if form == JOB else ".npz"
        return self.folder / f"{form}, {modality.value}, {catalogue}{suffix}"


def measure(bench: Bench, modality: Modality, repeats: int) -> bool:
    """Runs both forms in turn and prints what they took; whether the figures are met."""
    runs: dict[tuple[str, str], list[Run]] = {}
    for repeat in range(repeats):
        for catalogue in ("few", "many"):
            for form in (JOB, LOOP):
                run = child_runs.run_child(bench.command(form, modality, catalogue))
                runs.setdefault((form, catalogue), []).append(run)
                print(f"{repeat}: {modality.value}, {form}, {catalogue} items: {run.seconds:.1f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
    said = [json.loads(run.said.splitlines()[-1]) for run in runs[LOOP, "many"]]
    few = json.loads(runs[LOOP, "few"][0].said.splitlines()[-1])["items"]
    items = said[0]["items"] - few
    seconds = {}
    for form in (JOB, LOOP):
        start_up = statistics.median(run.seconds for run in runs[form, "few"])
        seconds[form] = [run.seconds - start_up for run in runs[form, "many"]]
    # What the loop encodes once more, in batches, is none of its own time.
    again, again_few = (
        statistics.median(
            json.loads(run.said.splitlines()[-1])["encode in batches"]
            for run in runs[LOOP, catalogue]
        )
        for catalogue in ("many", "few")
    )
    seconds[LOOP] = [value - (again - again_few) for value in seconds[LOOP]]
    child_runs.print_runs(
        {
            f"{modality.value}, {form}": [
                Run(value, run.cpu_seconds, run.peak_mib)
                for value, run in zip(of, runs[form, "many"], strict=True)
            ]
            for form, of in seconds.items()
        },
        items,
        "items",
    )
    start_ups = [child_runs.spread([run.seconds for run in runs[f, "few"]]) for f in (JOB, LOOP)]
    print(f"  start-up with {few} items, not in the above: {' and '.join(start_ups)} s")
    in_loop = [took["encode"] / (took["encode"] + took["decode"]) for took in said]
    in_job = [(again - again_few) / value for value in seconds[JOB]]
    print(f"  share of the encoder: job {child_runs.spread(in_job)}, "
          f"loop {child_runs.spread(in_loop)}")  # fmt: skip
    faster = [loop / job for loop, job in zip(seconds[LOOP], seconds[JOB], strict=True)]
    print(f"  loop / job: {child_runs.spread(faster)}")
    difference = bench.largest_difference(modality)
    met = child_runs.print_figure(
        f"media_{modality.value}_embeddings_differ", difference, _TOLERANCE,
        difference <= _TOLERANCE,
    )  # fmt: skip
    value = statistics.median(faster)
    return (
        child_runs.print_figure(
            f"media_{modality.value}_speed_up", value, _FASTER, value >= _FASTER
        )
        and met
    )


def main() -> int:
    """Prints tables, and lines of figures, modality by modality."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--items", type=int, default=600, metavar="N")
    parser.add_argument("--few", type=int, default=20, metavar="N", help="for start-up")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--weights", type=pathlib.Path, default=pathlib.Path("weights"), metavar="DIR",
        help="of pretrained encoders; see `tfrs-mm weights`",
    )  # fmt: skip
    parser.add_argument("--modality", action="append", choices=[m.value for m in Modality],
                        help="all where not given")  # fmt: skip
    parser.add_argument("--folder", metavar="DIR", help="holds media and what is made of them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(
            pathlib.Path(folder), arguments.items, arguments.few, arguments.weights, arguments.seed
        )
        print("\n".join(bench.notes))
        # So that libraries are read from disk before anything is measured.
        child_runs.run_child(["-c", "import tensorflow, pipelines.media"])
        met = [
            measure(bench, modality, arguments.repeats)
            for modality in bench.modalities
            if not arguments.modality or modality.value in arguments.modality
        ]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
