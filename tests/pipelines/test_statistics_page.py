import html.parser
import json
import pathlib
import re
import subprocess
import sys

import pytest

from pipelines import behaviour
from pipelines.page_charts import bar_chart, column_chart
from pipelines.page_html import escaped, number_of, share_of
from pipelines.statistics_page import main, statistics_page
from tfrs_mm.config import Config
from tfrs_mm.errors import UserError

REPOSITORY = pathlib.Path(__file__).parent.parent.parent
EVIL = "<script>alert(1)</script>"
VOID = {"meta", "rect", "line"}


class Parsed(html.parser.HTMLParser):
    """The tags of a page, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all_of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A data folder whose every text wants to be markup, with a former run and rejects."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "in").mkdir()
    rows = ["user_id,item_id,event,timestamp,<b>rating"]
    for place in range(120):
        user = f"<i>{place % 9}"
        rows.append(f"{user},{place % 12}&amp;,{EVIL},{1_700_000_000 + place * 86_400},{place % 5}")
    rows += [f"<i>0,{EVIL},x,1,1"] * 9
    (folder / "in" / "interactions.csv").write_text("\n".join(rows) + "\n")
    items = ["item_id,title,genres,image_path"]
    items += [f"{n}&amp;,<u>{n},x onload={n % 2}|<a href=//evil>,{n}.jpg" for n in range(12)]
    (folder / "in" / "items.csv").write_text("\n".join(items) + "\n")
    former = folder / "former"
    for output, settings in (
        (former, {}),
        (folder / "da<ta>", {"data.anomaly_previous": str(former)}),
    ):
        output.mkdir()
        settings = {"data.max_reject_share": 1.0, **settings}
        behaviour.run(folder / "in", output, Config().with_overrides(settings))
        (folder / "in" / "items.csv").write_text("\n".join(items[:5]) + "\n")
    return folder / "da<ta>"


def write_media_report(data_dir: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A copy of the folder's reports in which the media job ran as well."""
    (folder / "behaviour").mkdir(parents=True)
    for path in (data_dir / "behaviour").glob("*.json"):
        (folder / "behaviour" / path.name).write_text(path.read_text())
    (folder / "items").mkdir()
    report = {
        "items": 4, "present": {"image": 3, "text": 4}, "missing": {"image": 0, "text": 0},
        "rejected": {"image": {"is <not> a picture": 1}, "text": {}},
    }  # fmt: skip
    (folder / "items" / "report.json").write_text(json.dumps(report))
    return folder


def test_texts_of_the_data_are_escaped(data_dir):
    text = statistics_page(data_dir)
    page = Parsed(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "i", "u", "b", "img", "link"})
    assert all(href.startswith("#") for href in (a["href"] for a in page.all_of("a")))
    for shown in (EVIL, "<i>0", "<a href=//evil>", "<b>rating", "da<ta>", "0&amp;"):
        assert shown in page.words
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]


def test_the_page_refers_to_nothing_else_and_runs_nothing(data_dir):
    text = statistics_page(data_dir)
    for outside in ("http:", "https:", "src=", "url(", "@import", "<script", "javascript:"):
        assert outside not in text
    assert "default-src 'none'" in text


def test_the_page_can_be_read_aloud(data_dir):
    page = Parsed(statistics_page(data_dir))
    assert page.all_of("html")[0]["lang"] == "en"
    assert len(page.all_of("title")) > 1  # the page's, and one in every chart
    charts, ids = page.all_of("svg"), [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert charts
    assert len(ids) == len(set(ids))
    for chart in charts:
        assert chart["role"] == "img"
        assert len(chart["aria-label"]) > 10
    assert len(page.all_of("table")) == len(page.all_of("caption"))
    assert all(cell["scope"] in ("col", "row") for cell in page.all_of("th"))
    assert {attrs["href"].removeprefix("#") for attrs in page.all_of("a")} <= set(ids)


def test_the_page_is_styled_for_light_and_dark(data_dir):
    text = statistics_page(data_dir)
    assert "color-scheme: light dark" in text
    assert "prefers-color-scheme: dark" in text
    # Charts have no colour of their own.
    assert not re.search(r'(fill|stroke)="', text)


def test_anomalies_stand_on_top_errors_first(data_dir):
    words = Parsed(statistics_page(data_dir)).words
    assert words.index("Anomalies, errors first") < words.index("Events per day, UTC")
    # 4 items instead of 12
    assert "volume drop" in words
    assert words.index("error") < words.index("warning", words.index("Anomalies, errors first"))
    assert str(data_dir.parent / "former") in words


def test_rejects_days_and_categories_are_told(data_dir):
    words = Parsed(statistics_page(data_dir)).words
    assert "item_id is not in the catalogue" in words
    assert "2023-11-14" in words  # 1,700,000,000 s
    assert "x onload=0" in words


def test_media_are_told_as_embedded_or_else_as_named(data_dir, tmp_path):
    words = Parsed(statistics_page(data_dir)).words
    assert "The media job has not run in this folder" in words
    words = Parsed(statistics_page(write_media_report(data_dir, tmp_path / "data"))).words
    assert "3 (75.0\u00a0%)" in words
    assert "is <not> a picture (1)" in words


def test_the_quality_of_embeddings_is_a_part_of_the_page(data_dir, tmp_path):
    folder = write_media_report(data_dir, tmp_path / "data")
    (folder / "items" / "quality.json").write_text(
        json.dumps({"items": 4, "outlier_z": 4.0, "near_duplicate_cosine": 0.98, "modalities": {}})
    )
    page = Parsed(statistics_page(folder))
    assert "quality" in [attributes.get("id") for attributes in page.all_of("section")]
    assert "No item has an embedding." in page.words


def test_the_command_writes_the_file_or_says_what_is_missing(data_dir, tmp_path, capsys):
    output = tmp_path / "page.html"
    assert main(["--data", str(data_dir), "--output", str(output)]) == 0
    assert output.read_text("utf-8") == statistics_page(data_dir)
    assert main(["--data", str(tmp_path), "--output", str(output)]) == 2
    assert "`--data` is" in capsys.readouterr().err
    assert main(["--data", str(data_dir), "--output", str(tmp_path / "no" / "page.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_without_a_report_is_refused(data_dir, tmp_path):
    folder = write_media_report(data_dir, tmp_path / "data")
    (folder / "behaviour" / "report.json").unlink()
    with pytest.raises(UserError, match=r"report\.json does not exist"):
        statistics_page(folder)


def test_the_page_is_a_program_of_its_own(data_dir, tmp_path):
    command = [sys.executable, "-m", "pipelines.statistics_page", "--data", data_dir,
               "--output", tmp_path / "page.html"]  # fmt: skip
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("", "")


def test_columns_stand_on_the_axis_as_high_as_their_values():
    chart = column_chart("Title", "What", ["a", "b", "c"], [4, 2, 0])
    heights = [float(height) for height in re.findall(r'<rect[^>]* height="([\d.]+)"', chart)]
    assert heights[0] == pytest.approx(2 * heights[1])
    assert heights[2] == 0
    tops = [float(y) for y in re.findall(r'<rect class="bar" x="[\d.]+" y="([\d.]+)"', chart)]
    assert [y + height for y, height in zip(tops, heights, strict=True)] == pytest.approx(
        [tops[0] + heights[0]] * 3, abs=0.02
    )


def test_charts_of_nothing_and_of_one_are_charts():
    Parsed(column_chart("Title", "What", [], []))
    Parsed(column_chart("Title", "What", ["a"], [0]))
    Parsed(bar_chart("Title", "What", [], [], []))
    Parsed(bar_chart("Title", "What", ["x" * 90], [0.3], ["30 %"]))


@pytest.mark.parametrize("most", [0.003, 0.7, 1, 3, 7, 12, 99, 100, 101, 1234, 10**9 + 1])
def test_ticks_reach_the_largest_value_and_are_few(most):
    chart = column_chart("Title", "What", ["a"], [most])
    ticks = chart.count('class="grid"')
    assert 2 <= ticks <= 8
    height = float(re.search(r'<rect[^>]* height="([\d.]+)"', chart)[1])
    assert 0.4 * 170 <= height <= 170  # the area has 170 units; columns end within it


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (2017, "2017"), (12345, "12,345"), (1.5, "1.5"), (0.1234, "0.123"), (-3.0, "-3"),
     (1e300, "1e+300")],
)  # fmt: skip
def test_numbers_are_shown_for_people(value, shown):
    assert number_of(value) == shown


def test_shares_never_hide_what_is_there():
    assert [share_of(*pair) for pair in ((0, 9), (1, 9999), (1, 4), (9999, 10_000), (9, 9))] == [
        f"{share}\u00a0%" for share in ("0.0", "< 0.1", "25.0", "> 99.9", "100.0")
    ]  # fmt: skip
    assert share_of(0, 0) == "–"


def test_control_characters_have_no_place_in_a_page():
    assert escaped("a\x00b<\x1b\"'&") == "a\ufffdb&lt;\ufffd&quot;&#x27;&amp;"
