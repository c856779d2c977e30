import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from benchmarks.data_table import row_of, table_of


def test_a_line_adds_up_and_names_reasons(tmp_path):
    folder = tmp_path / "films"
    events = {
        "balance": {
            "events read": 1200, "events rejected": 30, "negative events": 7, "train": 1000,
            "valid": 60, "test": 60, "exact duplicates": 3, "near duplicates": 2,
            "repeats dropped": 38, "unaccounted": 0,
        },
        "reasons": {"item_id is empty": 30},
        "users": 60, "items": 12, "items rejected": 1,
    }  # fmt: skip
    items = {"present": {"image": 9, "text": 12}, "rejected": {"image": {"damaged": 2}, "text": {}}}
    for part, report in (("behaviour", events), ("items", items)):
        (folder / part).mkdir(parents=True)
        (folder / part / "report.json").write_text(json.dumps(report))
    # used: 1000 + 60 + 60; repeated: 3 + 2 + 38
    assert list(row_of(folder).values()) == [
        "films", "1,200", "1,120", "43", "7", "30 (30 item_id is empty)", "0", "60",
        "12 (1 rejected)", "image 9 (2 damaged); text 12",
    ]  # fmt: skip
    assert table_of([row_of(folder)]).count("\n") == 2
