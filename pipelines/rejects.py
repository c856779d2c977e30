"""What a job leaves out, one JSON object a line, in one file."""

import json
from collections.abc import Iterable

import apache_beam as beam

from tfrs_mm.artefacts import whole_file


class WriteRejects(beam.PTransform):
    """Dicts to one file of JSON lines, sorted; it is written even where there are none."""

    def __init__(self, path: str) -> None:
        """Says where to; the folder exists."""
        super().__init__()
        self._path = path

    def expand(self, rejects: beam.PCollection) -> beam.PCollection:
        """See the class."""
        lines = rejects | "ToLines" >> beam.Map(_to_line)
        # An empty line, so that a job without rejects has a group to write.
        first = rejects.pipeline | "NameFile" >> beam.Create([(0, "")])
        return (
            (lines, first)
            | "CollectLines" >> beam.Flatten()
            | "GroupLines" >> beam.GroupByKey()
            | "WriteLines" >> beam.Map(_write_lines, self._path)
        )


def _to_line(reject: dict[str, str]) -> tuple[int, str]:
    return 0, json.dumps(reject, ensure_ascii=False) + "\n"


def _write_lines(keyed: tuple[int, Iterable[str]], path: str) -> str:
    # Sorted, since the order of a runner's bundles means nothing.
    text = "".join(sorted(keyed[1]))
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
