"""Tables, picture and page: complete, well-formed, and put where they belong."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench.documents import BEGIN, END, PAGE, write_documents
from tests.bench.lanes import a_lane, a_run, some_results
from tests.bench.plot import svg
from tests.bench.tables import markdown

_SVG = "{http://www.w3.org/2000/svg}"


def test_the_table_of_a_stage_has_a_row_for_each_tool() -> None:
    text = markdown(some_results())

    assert "### 20,000 x 4 KiB, HTTP, 0 ms" in text
    assert "| blobmove copy | 150 |  |  | 0.38 | 1.25 | 26 | 2,000 | 8 | 0 | 50 | 1.00 + 1.00 |" in text
    assert "| rclone | 20,000 x 4 KiB, HTTP, 0 ms | `--flag` |" in text


def test_a_goal_that_is_missed_is_said_in_bold() -> None:
    results = some_results()
    results.lanes[1] = a_lane("blobmove", a_run(7.0, rss=10 << 20))

    assert "≤ 0.40 | 0.88 | **not met** |" in markdown(results)


def test_a_run_that_does_not_count_is_told() -> None:
    results = some_results()
    results.lanes[0].runs.append(a_run(0.1, complete=False))

    assert "rclone: 1 of 2 runs do not count" in markdown(results)


def test_the_picture_is_well_formed_and_its_words_are_text() -> None:
    root = ElementTree.fromstring(svg(some_results()))  # noqa: S314 - our own
    words = [element.text or "" for element in root.iter(f"{_SVG}text")]

    assert "blobmove copy" in words
    assert "0.38  (150 µs an object)" in words
    assert "prefers-color-scheme: dark" in (root.findtext(f"{_SVG}style") or "")


def test_bars_are_as_long_as_their_ratios() -> None:
    root = ElementTree.fromstring(svg(some_results()))  # noqa: S314 - our own
    wide = {one.get("class"): float(one.get("width", "0")) for one in root.iter(f"{_SVG}rect")}

    assert wide["own"] / wide["other"] == pytest.approx(150 / 400, rel=0.01)


def test_only_the_marked_part_of_the_page_is_rewritten(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    write_documents(some_results(), page)

    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert (tmp_path / "performance.svg").exists()


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("by hand", encoding="utf-8")

    with pytest.raises(ValueError, match="lacks"):
        write_documents(some_results(), page)
    assert page.read_text(encoding="utf-8") == "by hand"


def test_the_page_of_the_documentation_has_its_marks_and_its_picture() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text.count(BEGIN) == text.count(END) == 1
    assert PAGE.with_suffix(".svg").exists()
