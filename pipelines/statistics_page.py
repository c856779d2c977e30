"""The statistics of a data folder as one HTML page, to be opened anywhere.

`python -m pipelines.statistics_page --data DATA --output FILE.html` reads what the jobs left in
`behaviour/` and, if the media job ran, in `items/`. The page has its charts in itself, runs no
script and loads nothing.
"""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from pipelines.anomalies import ANOMALIES_FILE, read_statistics
from pipelines.page_columns import columns_part
from pipelines.page_html import escaped, number_of, page, section, share_of, table, value_of
from pipelines.page_parts import (
    activity_part,
    categories_part,
    days_part,
    media_part,
    numbers_part,
    rejects_part,
)
from pipelines.page_quality import quality_part
from pipelines.quality import QUALITY
from pipelines.records import READ, REJECTED
from tfrs_mm.artefacts import whole_file
from tfrs_mm.errors import UserError


def statistics_page(data_dir: str | os.PathLike[str]) -> str:
    """The page of a data folder.

    Raises:
        UserError: the folder has no statistics.
    """
    folder = pathlib.Path(data_dir)
    statistics = read_statistics(str(folder), "--data")
    anomalies = _read(folder / "behaviour" / ANOMALIES_FILE)
    report = _read(folder / "behaviour" / "report.json")
    media, quality = folder / "items" / "report.json", folder / "items" / QUALITY
    interactions, catalogue = statistics["interactions"], statistics["catalogue"]
    parts = {
        "anomalies": ("Anomalies", _anomalies(anomalies)),
        "days": ("Events per day", days_part(interactions)),
        "activity": ("Kinds, users and items", activity_part(interactions)),
        "rejects": ("Rejected events", rejects_part(report)),
        "categories": ("Categories", categories_part(catalogue)),
        "media": ("Media", media_part(catalogue, _read(media) if media.is_file() else None)),
        "quality": ("Embeddings", quality_part(_read(quality) if quality.is_file() else None)),
        "numbers": ("Numbers", numbers_part(statistics)),
        "columns": ("Columns", columns_part(statistics)),
    }
    links = "".join(
        f'<li><a href="#{name}">{escaped(title)}</a></li>' for name, (title, _) in parts.items()
    )
    return page(
        f"Statistics of {folder.resolve().name}",
        f"<header><h1>Statistics of {value_of(folder.resolve().name)}</h1>"
        '<p class="soft">What the jobs read from the logs and the catalogue.</p></header>',
        _tiles(statistics, report),
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>',
        "<main>",
        *(section(name, title, text) for name, (title, text) in parts.items()),
        _methods(statistics["methods"]),
        "</main>",
    )


def _tiles(statistics: dict[str, Any], report: dict[str, Any]) -> str:
    interactions = statistics["interactions"]
    tiles = {
        "Events kept": number_of(interactions["rows"]),
        "Rejected": f"{number_of(report[REJECTED])} ({share_of(report[REJECTED], report[READ])})",
        "Users": number_of(interactions["per_user"]["users"]),
        "Items": number_of(interactions["per_item"]["items"]),
        "Kinds of events": number_of(len(interactions["per_kind"])),
        "Days with events": number_of(len(interactions["per_day"]["days"])),
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())
    return f'<dl class="tiles">{cells}</dl>'


def _anomalies(anomalies: dict[str, Any]) -> str:
    against = anomalies["previous"]
    compared = f", compared with {value_of(against)}" if against else ""
    said = (
        f"<p>Errors: {number_of(anomalies['errors'])}, warnings: "
        f"{number_of(anomalies['warnings'])}, as of {escaped(anomalies['as_of'])}{compared}.</p>"
    )
    rows = [
        (
            f'<span class="{escaped(row["severity"])}">{escaped(row["severity"])}</span>',
            escaped(row["rule"]),
            f"{escaped(row['table'])} {value_of(row['column'])}",
            value_of(row["expected"]),
            value_of(row["found"]),
            number_of(row["figure"]),
            number_of(row["threshold"]),
        )
        for row in anomalies["anomalies"]
    ]
    if rows:
        header = ("Severity", "Rule", "Where", "Expected", "Found", "Figure", "Threshold")
        kinds = ("", "", "", "words", "words", "number", "number")
        said += table("Anomalies, errors first", header, rows, kinds)
    rows = [
        (value_of(row["column"]), escaped(row["table"]), value_of(row["reason"]))
        for row in anomalies["not_compared"]
    ]
    if rows:
        said += table("Not compared with the former run", ("Column", "Table", "Reason"), rows)
    return said


def _methods(methods: dict[str, str]) -> str:
    rows = [(escaped(name), escaped(text)) for name, text in methods.items()]
    caption = "What is exact, and how all else is estimated"
    return section("methods", "How it was counted", table(caption, ("Figure", "How"), rows))


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(
            f"{path} does not exist. Give a data folder whose behaviour job went through with "
            "`data.statistics`."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.statistics_page",
        description="Show the statistics and anomalies of a data folder as one HTML page.",
        epilog="Example: python -m pipelines.statistics_page --data data/films --output films.html",
        allow_abbrev=False,
    )
    parser.add_argument("--data", required=True, metavar="DATA", help="what the jobs wrote")
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="FILE.html")
    arguments = parser.parse_args(argv)
    try:
        text = statistics_page(arguments.data)
        if not arguments.output.parent.is_dir():
            raise UserError(
                f"--output is {arguments.output}, but there is no folder "
                f"{arguments.output.parent}. Make it, or name another file."
            )
    except UserError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    with whole_file(arguments.output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
