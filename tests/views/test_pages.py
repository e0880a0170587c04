"""The two pages from examples: the numbers of the text, a sentence for everything, and no power to any key."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from blobmove.checkpoint.reader import RunRow
from blobmove.checkpoint.story import Doubt, Story
from blobmove.checkpoint.values import Setup
from blobmove.cli.failures import explain
from blobmove.cli.invocation import Invocation
from blobmove.core.errors import UsageError
from blobmove.core.forecast import PRICES
from blobmove.core.model import Proof, State
from blobmove.core.results import Failure, Totals
from blobmove.views.page import check_place, key, prose, write_page
from blobmove.views.plan_page import plan_page
from blobmove.views.plan_text import plan_text
from blobmove.views.report_page import report_page
from blobmove.views.report_words import DOUBTS, MEANING, NOTES, PROVEN_BY, reason_text
from blobmove.views.whole_file import complete_or_nothing
from tests.docs.pages import read, rows
from tests.views.examples import CHANGED_PLAN, DESTINATION, PLAN, RUNS, SOURCE, TOTALS
from tests.views.html import parse_page

HOSTILE = "</td><script>alert('1')</script>&amp;\x00\x1b[2J\u202e\ud800"
SHOWN = r"</td><script>alert('1')</script>&amp;\x00\x1b[2J\u202e\ud800"
FULL = replace(PLAN, forecast=replace(PLAN.forecast, prices=dict(PRICES), speeds=((1e9, 3000.0), (1e8, 300.0))),
               samples=((HOSTILE, 5),), examples={"archived": (HOSTILE,), "missing_attached": (HOSTILE,)})

STORY = Story(
    checkpoint="blobmove.db",
    setup=Setup("7f3a91", SOURCE, DESTINATION, "2026-11-22T12:31:00Z", {}, asdict(PLAN)),
    totals=TOTALS, reasons={"delete-marker": 120, "old-version": 70, "archived": 9, "name-trailing-dot": 1,
                            "E403-SOURCE": 3},
    proofs={"etag-md5": 680, "multipart-etag": 30}, notes={"metadata-renamed": 4, "metadata-renamed,expires-lost": 2},
    unwell={State.FAILED: (Failure(HOSTILE, "failed", "E403-SOURCE", f"403 AccessDenied {HOSTILE}", 3),)},
    runs=(RunRow(1, "plan", "2026-11-22T12:31:00Z", "2026-11-22T12:31:20Z", 1, 0,
                 {"listed": 1200, "to_copy": 1000, "version": "0.1.0"}, "ops1", "7f3a91"),
          RunRow(2, "copy", "2026-11-22T12:40:00Z", None, 2, None, {"version": "0.1.0"}, "ops1", "7f3a91")),
    run_count=2, verified=None, unfinished=None, verify_holds=False, doubts=(Doubt.NEVER,), running=None,
    running_flip=None, flips=RUNS, missing_files=((HOSTILE, "amazon"),), missing_count=300,
    example=("a/b.pdf", "a/b.pdf", 5, "00" * 16),
)


def test_the_plan_s_page_has_every_number_of_its_text() -> None:
    text = plan_text(replace(FULL, samples=()), target_hours=2)
    page = parse_page(plan_page(FULL, target_hours=2)).text
    numbers = set(re.findall(r"\$?\d[\d,.]*\d|\d", text))
    assert {number for number in numbers if number not in page} == set()
    assert "blobmove copy --resume" in page


def test_the_sum_and_the_tables_of_the_plan_s_page_add_up() -> None:
    page = parse_page(plan_page(FULL))
    assert page.sum_of("Objects") == PLAN.to_copy
    assert sum(page.numbers("What will not be copied, and why")) == sum(PLAN.skipped.values()) + 1
    assert sum(page.numbers("How each copy will be proven")) == PLAN.to_copy
    dollars = {row[0]: float(row[1].lstrip("$").replace(",", "")) for row in page.rows("Forecast")
               if row[-1].startswith("$")}
    total = dollars.pop("total")
    assert sum(dollars.values()) == pytest.approx(total, abs=0.01 * len(dollars))
    assert {row[0] for row in page.rows("Forecast")} >= set(PRICES), "every price the sum rests on is named"


def test_a_plan_without_a_database_and_one_that_changes_another_are_told_so() -> None:
    assert "No database was named" in parse_page(plan_page(replace(PLAN, rails=None))).text
    page = parse_page(plan_page(replace(PLAN, change=CHANGED_PLAN, settled=7, checkpoint="other.db"))).text
    assert "Since plan 11aa22: 310 new, 12 changed." in page
    assert "blobmove copy --resume --checkpoint other.db" in page


def test_a_short_time_is_told_with_what_it_takes_a_line_each() -> None:
    text = parse_page(plan_page(replace(PLAN, to_copy=1_000_000_000), target_hours=24)).text
    assert "to be done in 1 d" in text
    assert "that is work for about 12 workers" in text
    assert "\\n" not in text


def test_a_plan_of_nothing_is_still_a_page() -> None:
    nothing = replace(PLAN, listed=0, to_copy=0, to_copy_bytes=0, skipped={}, refused={}, sizes=(), proofs={},
                      storage_classes={}, samples=(), inventory=replace(PLAN.inventory, rows=0, outside=0, twice=0))
    assert "Nothing: every object that was listed is to be copied." in parse_page(plan_page(nothing)).text


@pytest.mark.parametrize("name", ["plan", "report"])
def test_a_hostile_key_is_text_and_nothing_else(name: str) -> None:
    html = {"plan": lambda: plan_page(FULL), "report": lambda: report_page(STORY)}[name]()
    page = parse_page(html)
    assert page.text.count(SHOWN) == 3
    assert "script" not in page.tags
    assert page.outward == []
    assert not set("\x00\x1b\u202e") & set(html)
    assert html.encode()


def test_the_name_of_a_service_comes_from_the_database_and_has_no_power_either() -> None:
    assert PLAN.rails is not None
    rails = replace(PLAN.rails, by_service={HOSTILE: 3, "https://a?X-Amz-Signature=abcdef0123": 2})
    html = plan_page(replace(PLAN, rails=rails))
    assert SHOWN in parse_page(html).text
    assert not set("\x00\x1b\u202e\ud800") & set(html)
    assert "abcdef0123" not in html
    assert "script" not in parse_page(html).tags


def test_a_secret_in_a_foreign_text_is_hidden() -> None:
    leaky = (Failure("k", "failed", "E403-SOURCE", "https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef0123", 1),)
    html = report_page(replace(STORY, unwell={State.FAILED: leaky}))
    assert "abcdef0123" not in html
    assert "X-Amz-Signature=REDACTED" in html


def test_the_report_s_outcomes_and_proofs_add_up_and_every_list_says_what_it_leaves_out() -> None:
    page = parse_page(report_page(STORY))
    outcomes = page.rows("Outcomes")
    assert sum(int(row[1].replace(",", "")) for row in outcomes[1:-1]) == TOTALS.planned
    assert sum(page.numbers("Proofs")[:2]) == TOTALS.objects[State.COPIED] + TOTALS.objects[State.PRESENT]
    assert "2 more are in the list of blobmove report --objects objects.csv" in page.text
    assert "299 more: sqlite3 -readonly blobmove.db" in page.text
    assert ["6", "metadata-renamed", NOTES["metadata-renamed"]] in page.rows("Proofs")


def test_the_report_says_which_run_has_no_end_which_is_running_and_which_flip_is_not_certain() -> None:
    page = parse_page(report_page(STORY))
    assert page.rows("Every run")[2][3:5] == ["", "no end recorded"]
    flips = page.rows("Rows of Rails that changed their service")
    assert flips[1][2] == "no end recorded"
    now = parse_page(report_page(replace(STORY, running=2, running_flip=1)))
    assert now.rows("Every run")[2][3:5] == ["", "running"]
    assert now.rows("Rows of Rails that changed their service")[1][2] == "running"
    assert "1 batches of unknown fate" in flips[1][3]
    assert flips[2][3].startswith("undo of run 1: azure → amazon")


@pytest.mark.parametrize("summary", [{"error": "E503-DATABASE"}, {"stopped": "E503-DATABASE"}])
def test_a_flip_that_stopped_early_says_why(summary: dict[str, str]) -> None:
    page = parse_page(report_page(replace(STORY, flips=(replace(RUNS[1], summary=summary),))))
    assert page.rows("Rows of Rails that changed their service")[1][3].endswith("; stopped: E503-DATABASE")


@pytest.mark.parametrize(("change", "verdict"), [
    ({}, "Not yet: of 1,200 planned objects 710 are on Azure and proven, 287 are still to be copied."),
    ({"totals": Totals(dict.fromkeys(State, 0) | {State.COPIED: 3, State.FAILED: 1}, dict.fromkeys(State, 0))},
     "Did not arrive, with the reasons below: 1. No later look at Azure (verify) has confirmed it yet."),
    ({"totals": Totals(dict.fromkeys(State, 0) | {State.COPIED: 3, State.GONE: 1}, dict.fromkeys(State, 0)),
      "verify_holds": True},
     "deleted from S3 before they were read: 1. Nothing failed. A later, independent look at Azure found all of them"),
])
def test_the_verdict_is_no_better_than_what_is_known(change: dict[str, object], verdict: str) -> None:
    assert verdict in parse_page(report_page(replace(STORY, **change))).text  # type: ignore[arg-type]


def test_a_verification_is_told_with_what_it_looked_at() -> None:
    run = RunRow(3, "verify", "2026-11-22T13:00:00Z", "2026-11-22T13:09:00Z", 1, 0,
                 {"identical": 70, "different": 0, "missing": 0, "extra": 4, "how": "read", "sample": 10.0})
    page = parse_page(report_page(replace(STORY, verified=run, doubts=(Doubt.SAMPLE,))))
    assert "every byte was read again, of a sample of 10 percent." in page.text
    assert "It says nothing of the objects outside the sample." in page.text
    assert "A copy came after it" not in page.text
    after = parse_page(report_page(replace(STORY, verified=run, doubts=(Doubt.SAMPLE, Doubt.COPIED))))
    assert "A copy came after it" in after.text
    assert [row[0] for row in page.rows("The second look")] == ["70", "0", "0", "0", "4"]


@pytest.mark.parametrize(("code", "summary", "running", "said"), [
    (130, {"identical": 1000, "different": 1}, None, "was broken off after 1,001 objects: verify again."),
    (4, {"stopped": "no access <"}, None, "ended with exit code 4 (no access <): verify again."),
    (None, {}, None, "has no end recorded: verify again."),
    (None, {}, 9, "is running."),
])
def test_a_verification_that_did_not_come_to_its_end_is_told_as_that(
    code: int | None, summary: dict[str, object], running: int | None, said: str
) -> None:
    run = RunRow(9, "verify", "2026-11-22T13:00:00Z", None, 1, code, summary, "ops1", "7f3a91")
    told = replace(STORY, unfinished=run, running=running, doubts=(Doubt.NEVER, Doubt.UNFINISHED))
    page = parse_page(report_page(told)).text
    assert f"Run 9, a verification, {said}" in page
    assert "No verification has come to its end yet." in page
    assert f"Run 9, a later verification, {said}" in parse_page(report_page(replace(told, verified=run))).text
    assert set(Doubt) == {*DOUBTS, "unfinished"}


def test_one_object_can_be_checked_by_hand() -> None:
    text = parse_page(report_page(STORY)).text
    assert "aws s3 cp s3://acme-prod-uploads/a/b.pdf - | md5sum" in text
    assert "aws s3api head-object --bucket acme-prod-uploads --key a/b.pdf \\\n    --checksum-mode ENABLED" in text
    assert f"--blob-url {DESTINATION}/a/b.pdf | md5sum" in text
    assert "There is no copied object yet" in parse_page(report_page(replace(STORY, example=None))).text


def test_a_report_of_a_checkpoint_without_sizing_is_still_a_page() -> None:
    page = report_page(replace(STORY, setup=replace(STORY.setup, sizing={})))
    assert "keeps no numbers of the plan itself" in parse_page(page).text


def test_every_state_proof_reason_and_note_has_its_sentence() -> None:
    assert set(MEANING) == set(State)
    assert set(PROVEN_BY) == {str(proof) for proof in Proof} - {"azure-md5"}
    text = read("docs/reference/errors.md")
    reasons = text[text.index("### `skipped`"):text.index("### On the way back")]
    assert [row[0] for row in rows(reasons) if row[0].startswith("`") and not reason_text(row[0].strip("`"))] == []
    notes = text[text.index("## Notes"):text.index("## Reasons of rows")]
    assert {row[0].strip("`") for row in rows(notes) if row[0].startswith("`")} == set(NOTES)
    assert "S3 refused this object with HTTP status 403" in reason_text("E403-SOURCE")
    assert reason_text("E000-DESTINATION").startswith("no answer from Azure")


def test_our_own_sentences_show_commands_as_code_and_are_escaped() -> None:
    assert str(prose("`a` < `b`")) == "<code>a</code> &lt; <code>b</code>"
    assert str(prose("at ?X-Amz-Signature=abcdef0123&x \x1b")) == "at ?X-Amz-Signature=REDACTED&amp;x \\x1b"
    assert key("x" * 300) == "x" * 99 + "…" + "x" * 99


def test_a_page_that_cannot_be_written_leaves_the_former_one_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_page(path, "new \ud800")
    assert path.read_text() == "old"
    write_page(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_page_is_for_its_owner_and_one_that_is_replaced_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    path, link = tmp_path / "page.html", tmp_path / "link.html"
    link.symlink_to(path)
    write_page(path, "old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    write_page(link, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode), link.is_symlink()) == ("new", 0o644, True)


def test_the_bytes_of_a_page_are_on_the_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "page.html", list[tuple[int, bool]]()
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append((os.fstat(handle).st_size, path.exists())))
    write_page(path, "text")
    assert synced == [(4, False)]


def test_an_error_names_the_page_that_was_typed_and_not_its_draft(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with pytest.raises(IsADirectoryError) as caught, complete_or_nothing(path):
        path.mkdir()  # meanwhile
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_for_a_page_is_looked_at_before(tmp_path: Path) -> None:
    check_place(tmp_path / "page.html", "plan")
    assert not list(tmp_path.iterdir())
    with pytest.raises(IsADirectoryError):
        check_place(tmp_path, "plan")
    with pytest.raises(FileNotFoundError):
        check_place(tmp_path / "nowhere" / "page.html", "plan")


@pytest.mark.parametrize("place", ["/proc/page.html", "x" * 254])
def test_a_place_where_no_file_can_be_made_is_known_before(place: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file|too long") as caught:
        check_place(tmp_path / place, "plan")
    assert caught.value.filename == str(tmp_path / place)
    assert explain(caught.value, Invocation(())).code == "E400-FILE"


def test_a_page_replaces_nothing_but_a_page_of_its_kind(tmp_path: Path) -> None:
    planned, report, other = (tmp_path / name for name in ("plan.html", "a report.html", "blobmove.db"))
    write_page(planned, plan_page(PLAN))
    write_page(report, report_page(STORY))
    other.write_bytes(b"SQLite format 3")
    check_place(planned, "plan")
    check_place(report, "report")
    for path, kind, cause in ((planned, "report", "a page of `plan`"), (report, "plan", "a page of `report`"),
                              (other, "report", "no page of blobmove")):
        with pytest.raises(UsageError, match="is not replaced") as caught:
            check_place(path, kind)
        assert caught.value.code == "E409-PAGE"
        assert cause in str(caught.value.cause)
    other.write_bytes(b"")
    check_place(other, "report")
