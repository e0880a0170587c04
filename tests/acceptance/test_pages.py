"""The two pages of a real journey: self-contained, true to the numbers, and safe whatever the keys are."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.world import World, noise
from tests.views.html import Page, read_page

if TYPE_CHECKING:
    from tests.acceptance.commands import Run

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

HOSTILE = (
    "<script>alert(1)</script>/x.", "\"><img src=x onerror=alert(1)>.", "a&amp;b'c.", "{{ 7 * 7 }}{% raw %}.",
    "<b>bold</b>/日本語.", "--></style></title>/.",
)
"""Names that a page must not obey. Azure cannot hold them, for the dots: so both pages name them."""
TURNED = "\u202egnp.exe."
"""Reads backwards where nobody escapes it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a migration wrote about itself."""

    world: World
    plan: Run
    planned: Page
    report: Page
    status: dict[str, int]


@pytest.fixture(scope="module")
def written(typed_shared_world: World) -> Written:
    world = typed_shared_world
    for key in (*HOSTILE, TURNED):
        world.put(key, noise(key, 400))
    keys = world.put_many(12)
    world.put("gone.pdf", b"gone")
    world.put("ledger.pdf", b"frozen", StorageClass="GLACIER")
    app = world.database()
    for key in keys[:6]:
        app.add(key, noise(key, 100), "amazon")
    app.add("lost<i>", b"a row without a file", "amazon")
    plan = world.plan("--html", "plan.html")
    world.delete("gone.pdf")
    world.run("copy", "--resume", "--json", "--yes", expect=1)
    world.run("verify", "--json")
    world.run("flip-service", "--from", "amazon", "--to", "azure", "--confirm", "azure", "--json", expect=1)
    world.run("report", "--html", "report.html", "--objects", "objects.csv", "--json")
    if folder := os.environ.get("BLOBMOVE_KEEP_PAGES"):
        for name in ("plan.html", "report.html"):
            shutil.copy(world.desk / name, folder)
    status = world.run("status", "--json").document
    return Written(world, plan, read_page(world.desk / "plan.html"), read_page(world.desk / "report.html"),
                   {name: number for name, number in status["outcomes"].items() if number})


def test_neither_page_loads_runs_or_refers_to_anything(written: Written) -> None:
    for page in (written.planned, written.report):
        assert page.tags & {"script", "img", "iframe", "link", "object", "form", "a", "b", "i", "base"} == set()
        assert page.outward == []
        assert not [name for name in page.attributes if name.startswith("on")]


def test_hostile_keys_are_shown_as_what_they_are(written: Written) -> None:
    assert [key for key in (*HOSTILE, "lost<i>", "\\u202egnp.exe.") if key not in written.report.text] == []
    named = [key for key in (*HOSTILE, "\\u202egnp.exe.") if key in written.planned.text]
    assert len(named) == 6, "five for one reason, one for another"
    assert "lost<i>" in written.planned.text
    assert "\u202e" not in written.planned.text + written.report.text


def test_the_plan_s_page_has_every_number_of_the_plan(written: Written) -> None:
    document, page = written.plan.document, written.planned
    objects = document["objects"]
    rows = page.rows("Objects")
    assert rows[0][-2] == f"{document['inventory']['rows']:,}"
    assert page.sum_of("Objects") == objects["to_copy"]
    assert rows[-1][1] == f"{objects['to_copy']:,}"
    assert sum(page.numbers("Storage classes")) == objects["to_copy"]
    assert sum(page.numbers("How each copy will be proven")) == objects["to_copy"]
    aside = sum(objects["skipped"].values()) + sum(objects["refused"].values())
    assert sum(page.numbers("What will not be copied, and why")) == aside
    assert f"{document['rails']['missing_attached']}" in [row[0] for row in page.rows("Rails and the bucket")]
    total = f"${document['forecast']['dollars']['total']:,.2f}"
    assert ["total", total] in page.rows("Forecast")


def test_the_report_s_outcomes_are_those_of_status_and_add_up(written: Written) -> None:
    rows = written.report.rows("Outcomes")
    told = {row[0]: int(row[1].replace(",", "")) for row in rows[1:-1]}
    assert told == written.status
    assert rows[-1][:2] == ["planned", str(sum(told.values()))]
    assert sum(written.report.numbers("Proofs")) == told["copied"] + told.get("present", 0)
    assert told["gone"] == 1
    assert "gone.pdf" in written.report.text


def test_the_report_tells_every_run_with_its_version_and_every_flip(written: Written) -> None:
    runs = written.report.rows("Every run")[1:]
    assert [row[1] for row in runs] == ["plan", "copy", "verify"]
    assert all(row[-1].startswith("0.") for row in runs)
    assert [row[4] for row in runs] == ["0", "1", "0"]
    (flip,) = written.report.rows("Rows of Rails that changed their service")[1:]
    assert "amazon → azure" in flip[3]
    assert flip[4] == "6"
    assert "blobmove 0." in flip[5]


def test_json_names_the_files_and_the_page_is_private_to_nobody_more_than_the_records(written: Written) -> None:
    desk = written.world.desk
    run = written.world.run("report", "--html", "report.html", "--json")
    assert json.loads(run.out) == {"format": 1, "command": "report", "objects": None, "html": "report.html", "rows": 0}
    assert (desk / "report.html").stat().st_mode == (desk / "objects.csv").stat().st_mode
    assert not [path.name for path in desk.iterdir() if path.name.startswith(".report")]


def test_a_place_where_no_page_can_be_written_is_refused_before_the_work(written: Written) -> None:
    run = written.world.run("plan", "--list", "--html", "nowhere/plan.html", "--json", expect=2)
    assert run.document["code"] == "E400-FILE"
    assert "Reading" not in run.err
    assert written.world.run("report", "--html", ".", expect=2).err.startswith("error: cannot use .")


def test_the_report_replaces_nothing_but_a_report(written: Written) -> None:
    desk = written.world.desk
    for name in ("plan.html", "blobmove.db"):
        before = (desk / name).read_bytes()
        run = written.world.run("report", "--html", name, "--json", expect=2)
        assert run.document["code"] == "E409-PAGE"
        assert (desk / name).read_bytes() == before


def test_a_plan_that_failed_and_a_verification_of_a_sample_are_told_as_what_they_were(world: World) -> None:
    world.put_many(3)
    world.plan()
    world.copy()
    world.run("verify", "--sample", "50")
    keys = world.desk / "keys.csv"
    keys.write_text("another-bucket,key\n")
    world.run("plan", "--keys", str(keys), expect=2)
    world.run("report", "--html", "report.html")
    page = read_page(world.desk / "report.html")
    assert [row[1:2] + row[4:6] for row in page.rows("Every run")[4:]] == [["plan", "2", "stopped: E422-KEYS"]]
    assert "of a sample of 50 percent" in page.text
    assert "It says nothing of the objects outside the sample." in page.text
    assert "A copy came after it" not in page.text
