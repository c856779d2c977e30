"""What became of the rows of some inputs, as a table: read, kept, rejected and why.

Give it data folders that `tfrs-mm preprocess` wrote: `python benchmarks/data_table.py data/*`.
"""

import argparse
import json
import pathlib
from collections.abc import Iterable, Mapping

COLUMNS = (
    "data", "events read", "used", "duplicates and repeats", "negative", "rejected", "unaccounted",
    "users", "items", "media",
)  # fmt: skip
_REPEATED = ("exact duplicates", "near duplicates", "repeats dropped")
_USED = ("train", "valid", "test")


def row_of(data_dir: pathlib.Path) -> dict[str, str]:
    """One line of the table, by column."""
    events = json.loads((data_dir / "behaviour/report.json").read_text(encoding="utf-8"))
    items = json.loads((data_dir / "items/report.json").read_text(encoding="utf-8"))
    balance = events["balance"]
    return {
        "data": data_dir.name,
        "events read": f"{balance['events read']:,}",
        "used": f"{sum(balance[name] for name in _USED):,}",
        "duplicates and repeats": f"{sum(balance[name] for name in _REPEATED):,}",
        "negative": f"{balance['negative events']:,}",
        "rejected": _with_reasons(balance["events rejected"], events["reasons"]),
        "unaccounted": str(balance["unaccounted"]),
        "users": f"{events['users']:,}",
        "items": _with_reasons(events["items"], {"rejected": events["items rejected"]}),
        "media": "; ".join(
            f"{name} {_with_reasons(number, items['rejected'][name])}"
            for name, number in items["present"].items()
        ),
    }


def table_of(rows: Iterable[Mapping[str, str]]) -> str:
    """The lines as Markdown."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(row[name] for name in COLUMNS) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _with_reasons(number: int, reasons: Mapping[str, int]) -> str:
    told = [f"{count:,} {reason}" for reason, count in sorted(reasons.items()) if count]
    return f"{number:,}" + (f" ({', '.join(told)})" if told else "")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=pathlib.Path, help="data folders")
    print(table_of(row_of(folder) for folder in parser.parse_args().data))


if __name__ == "__main__":
    main()
