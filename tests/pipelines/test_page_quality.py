import json

import media_world as world

from pipelines import media
from pipelines.page_quality import quality_part
from pipelines.quality import QUALITY

EVIL = "<script>alert(1)</script>"


def quality(**changes):
    part = {
        "present": 3, "share": 0.75, "zeros": 1, "norms": {
            key: value for value, key in enumerate(["min", "p01", "p05", "p50", "p95", "max"], 1)
        },
        "outliers": {"items": 1, "by measure": {"norm": 1},
                     "worst": [{"item_id": EVIL, "measure": "norm", "value": 70, "z": -8.5}]},
        "near duplicates": {"items": 2, "groups": 1, "method": "all pairs",
                            "largest": [{"items": 2, "item_ids": ["a", EVIL]}]},
        "rejects": [{"reason": "file is empty", "count": 41,
                     "examples": [{"item_id": "x", "where": "x.jpg"}]}],
    } | changes  # fmt: skip
    return {
        "items": 4, "outlier_z": 4.0, "near_duplicate_cosine": 0.98, "modalities": {"image": part}
    }  # fmt: skip


def test_everything_that_was_found_is_told_and_escaped():
    text = quality_part(quality())
    assert EVIL not in text and text.count("&lt;script&gt;") == 2
    for shown in ("75.0\u00a0%", "file is empty", ">41<", ">70<", "-8.5", ">6<"):
        assert shown in text
    # Embeddings, near duplicates, outliers, rejects.
    assert text.count("<table>") == 4


def test_tables_without_lines_are_left_out():
    nothing = quality(
        norms={}, rejects=[], outliers={"items": 0, "by measure": {}, "worst": []},
        **{"near duplicates": {"items": 0, "groups": 0, "method": "all pairs", "largest": []}},
    )  # fmt: skip
    assert quality_part(nothing).count("<table>") == 1
    assert "has not run" in quality_part(None)
    assert "No item" in quality_part(quality() | {"modalities": {}})


def test_the_report_of_a_job_can_be_shown(encoders, shop, tmp_path):
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    media.run(shop, tmp_path, world.small_config(), encoders, world.SCHEMA)
    text = quality_part(json.loads((tmp_path / "items" / QUALITY).read_text()))
    for name in world.DIMS:
        assert f"<bdi>{name}</bdi>" in text
