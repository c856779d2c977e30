"""Downloads with bytes changed, lost and doubled: read as far as they can be, or refused."""

import pathlib
import random

import connector_downloads as downloads
import pytest

from tfrs_mm.data.connectors.convert import convert
from tfrs_mm.errors import UserError

ROUNDS = 12
ODD_BYTES = (b"", b"\0", b"\n", b'"', b"::", b",", b"\xff", b"\xed\xa0\x80", b"{", b"}", b"\r")


def damage(data: bytes, generator: random.Random) -> bytes:
    """One to four places of a file changed."""
    for _ in range(generator.randint(1, 4)):
        start = generator.randint(0, len(data))
        end = min(len(data), start + generator.choice((0, 1, 3, 40)))
        data = data[:start] + generator.choice((*ODD_BYTES, data[start:end] * 2)) + data[end:]
    return data


@pytest.mark.parametrize("edition", sorted(downloads.EDITIONS))
def test_a_damaged_download_is_converted_with_rejects_or_refused(edition, tmp_path):
    name, write = downloads.EDITIONS[edition]
    generator = random.Random(edition)
    outcomes = set()
    for number in range(ROUNDS):
        folder, output = write(tmp_path / f"in-{number}"), tmp_path / f"out-{number}"
        path = generator.choice(sorted(path for path in folder.iterdir() if path.is_file()))
        path.write_bytes(damage(path.read_bytes(), generator))
        try:
            report = convert(name, folder, output)
        except UserError as error:
            outcomes.add("refused")
            assert str(error) and not output.exists()
            continue
        outcomes.add("converted")
        events, items = (downloads.read_csv(output / f"{t}.csv") for t in ("interactions", "items"))
        assert report["events read"] == len(events) + report["events rejected"]
        assert report["items read"] == len(items) + report["items rejected"]
        rejects = pathlib.Path(output / "rejects.jsonl").read_text().splitlines()
        assert len(rejects) == sum(report["reasons"].values())
    # Where every file is compressed, each change shows in a checksum.
    assert "converted" in outcomes or edition == "amazon-ratings"
