"""The texts for people, word for word: what is printed is what the documents show."""

from __future__ import annotations

import re
from dataclasses import replace

from blobmove.core.crew import WorkerShown
from blobmove.core.model import State
from blobmove.core.results import Totals
from blobmove.views.copy_text import dry_run_text, question_text, status_text, summary_text
from blobmove.views.flip_text import flip_text, runs_text
from blobmove.views.layout import Paint, bar, printable
from blobmove.views.plan_text import plan_text
from blobmove.views.verify_text import verify_text
from tests.views.examples import CHANGED_PLAN, FLIP, PLAN, RUNS, STATUS, SUMMARY, VERIFY


def test_the_plan_tells_everything_and_the_next_command() -> None:
    assert plan_text(PLAN, target_hours=2) == PLAN_PAGE


def test_the_sum_of_the_plan_adds_up() -> None:
    lines = plan_text(PLAN).split("Objects\n")[1].split("\n\n")[0].splitlines()
    numbers = {line.split()[0]: 0 for line in lines if line.split()[0] in "−="}
    start = int(lines[0].split()[0].replace(",", ""))
    for line in lines[1:]:
        sign, *words = line.split()
        if sign in numbers:
            numbers[sign] += int(words[0].replace(",", ""))
    assert start - numbers["−"] == numbers["="] == PLAN.to_copy


def test_the_plan_says_for_how_many_workers_a_short_time_is_work() -> None:
    text = plan_text(replace(PLAN, to_copy=1_000_000_000), target_hours=24)
    assert "work for about 12 workers of one core each (copy --workers, --scheduler)" in text
    assert "workers" not in plan_text(PLAN, target_hours=2)


def test_the_plan_says_when_no_number_of_workers_will_do() -> None:
    most = "but one run moves about 20,000 objects a second at most"
    assert most in plan_text(replace(PLAN, to_copy=1_000_000_000), target_hours=10)
    assert most not in plan_text(replace(PLAN, to_copy=1_000_000_000), target_hours=24)


def test_the_status_shows_each_worker_of_a_running_copy() -> None:
    workers = (WorkerShown("tls://10.0.0.5:4000", "at work", 1234.0, 5 * 2**20, 64, 128),
               WorkerShown("tls://10.0.0.6:4000", "silent for 9 s", 0.0, 0.0, 0, 128, bandwidth=2.0 * 2**20,
                           requests_per_second=1500.4))
    lines = status_text(replace(STATUS, workers=workers)).splitlines()
    shown = [" ".join(line.split()) for line in lines if "tls://" in line]
    assert shown == ["tls://10.0.0.5:4000 at work 1,234 objects/s 5.0 MiB/s 64 in flight 128 allowed",
                     "tls://10.0.0.6:4000 silent for 9 s 0 objects/s 0 B/s 0 in flight 128 allowed,"
                     " 2.0 MiB/s at most, 1,500 requests/s at most"]


def test_a_second_plan_starts_from_the_whole_plan_and_tells_the_difference() -> None:
    facts = replace(PLAN.inventory, rows=322, outside=0, twice=0)
    text = plan_text(replace(PLAN, inventory=facts, change=CHANGED_PLAN, settled=678, checkpoint="other.db"))
    assert "1,200  in the plan" in text
    assert "of these, 678 have been copied already" in text
    assert "Plan 11aa22 → 7f3a91: 310 new, 12 changed." in text
    assert text.endswith("Next: blobmove copy --resume --checkpoint other.db")
    assert "Nothing has been copied" not in text


def test_a_plan_with_nothing_left_sends_to_verify() -> None:
    assert plan_text(replace(PLAN, settled=PLAN.to_copy)).endswith("Next: blobmove verify")


def test_an_interrupted_copy_adds_up_to_the_plan() -> None:
    assert summary_text(SUMMARY) == STOPPED


def test_a_finished_copy_says_what_is_proven() -> None:
    totals = Totals({State.COPIED: 2, State.SKIPPED: 1}, {State.COPIED: 2048, State.SKIPPED: 5})
    done = replace(SUMMARY, totals=totals, stopped="", next="blobmove verify", reasons={}, notes={})
    text = summary_text(done)
    assert text.startswith("2 objects, 2 KiB, on Azure and proven; this run took 2 min 8 s.\n")
    assert "not well" not in text
    assert text.endswith("Next: blobmove verify")


def test_status_names_the_objects_that_are_not_well_without_letting_them_write_to_the_terminal() -> None:
    text = status_text(STATUS)
    assert "Plan 7f3a91 · planned 2026-11-22T12:31:00Z · copy running (pid 4121)" in text
    assert "    83.4 % done · 64.0 MiB/s · 1 min 35 s left" in text
    assert r"    failed  8c0m\x1b[2J.pdf  E403-SOURCE  3 ×  S3 403 AccessDenied" in text
    assert "\x1b" not in text
    assert text.endswith("Next: (running)")


def test_a_status_at_rest_names_the_next_command() -> None:
    assert status_text(replace(STATUS, running=None, pid=None)).endswith("Next: blobmove copy --resume")


def test_verify_counts_what_it_found() -> None:
    assert verify_text(VERIFY) == VERIFIED


def test_verify_says_of_unreadable_blobs_that_it_knows_nothing() -> None:
    text = verify_text(replace(VERIFY, different=0, missing=0, unreadable=3), paint=Paint(on=True))
    assert text.startswith("\x1b[31m"), "that is not well"
    assert "?    3  could not be read: nothing was found out about them" in text


def test_the_dry_flip_shows_rows_reasons_and_the_statement() -> None:
    assert flip_text(FLIP) == DRY_FLIP


def test_a_real_flip_names_its_run_and_an_undo_the_run_it_took_back() -> None:
    real = flip_text(replace(FLIP, dry_run=False, run=7, seconds=2.0))
    assert "Flipped 1,951 rows in 2.0 s. Run 7 is in the journal." in real
    assert "1,955 rows = 1,951 flipped + 4 refused + 0 left for later" in real
    assert "UPDATE" not in real
    undo = flip_text(replace(FLIP, dry_run=False, run=8, undo_of=7, stopped="interrupted"))
    assert "taking back run 7" in undo
    assert "Took back 1,951 rows" in undo
    assert "Stopped: interrupted." in undo


def test_the_journal_lists_runs_and_what_is_unsettled() -> None:
    assert runs_text(RUNS) == (
        "run  started               by           from    to      rows  flipped\n"
        "  1  2026-11-22T10:00:00Z  deploy@ops1  amazon  azure    100       98"
        "  1 batch not settled: run the same command again\n"
        "  2  2026-11-22T11:00:00Z  deploy@ops1  azure   amazon    98       98  takes back run 1"
    )
    assert runs_text(()) == "No run is in the journal."


def test_what_is_approved_is_what_is_left() -> None:
    assert question_text(SUMMARY, "blobmove.db").splitlines()[1].startswith("287 objects, 509 MiB to copy.")
    assert dry_run_text(SUMMARY).startswith("Would copy 287 objects, 509 MiB. Nothing has been changed.")


def test_colour_changes_nothing_but_colour() -> None:
    paint = Paint(on=True)
    pairs = [
        (plan_text(PLAN, paint=paint), plan_text(PLAN)),
        (summary_text(SUMMARY, paint=paint), summary_text(SUMMARY)),
        (status_text(STATUS, paint=paint), status_text(STATUS)),
        (verify_text(VERIFY, paint=paint), verify_text(VERIFY)),
        (flip_text(FLIP, paint=paint), flip_text(FLIP)),
    ]
    for painted, plain in pairs:
        assert "\x1b[" in painted
        assert re.sub(r"\x1b\[\d+m", "", painted) == plain


def test_what_a_key_holds_cannot_move_the_cursor_and_a_long_key_keeps_both_ends() -> None:
    assert printable("a\x1b[2J\n\u202eb\ud800") == r"a\x1b[2J\n\u202eb\ud800"
    assert printable("a" * 50 + "b" * 51, limit=11) == "aaaaa…bbbbb"


def test_a_bar_shows_every_share_above_nothing() -> None:
    assert (bar(0), bar(0.0001), bar(0.5, 4), bar(1, 4)) == ("", "▏", "██", "████")


PLAN_PAGE = """\
From    s3://acme-prod-uploads
To      https://acmeprod.blob.core.windows.net/uploads
List    the Parquet inventory of 2026-11-21T01:00:00Z, 1,210 rows in 2 files

Objects
     1,210  listed
  −      8  outside the prefix
  −      2  listed twice
  −      9  in Glacier or Deep Archive (restore them, then `blobmove copy --retry-failed`)
  −    120  delete markers
  −     70  older versions (--versions all moves them)
  −      1  refused: a segment of the name ends with a dot, which Azure cuts off
  ────────
  =  1,000  to copy, 3 GiB

    size            objects            bytes
    up to 64 KiB        600  60.0 %   20 MiB   0.7 %  ▏
    64 KiB – 1 MiB      300  30.0 %  108 MiB   3.5 %  ▉
    1 MiB – 32 MiB       99   9.9 %  896 MiB  29.2 %  ███████
    32 MiB – 1 GiB        0   0.0 %      0 B   0.0 %
    over 1 GiB            1   0.1 %    2 GiB  66.7 %  ████████████████

Checksums
    950  have an MD5 ETag, which Azure checks while the bytes arrive
     50  are multipart: their ETag is computed again from the parts
    storage classes: STANDARD 990, GLACIER_IR 10

Rails and the bucket
    960  rows of active_storage_blobs (amazon 950, mirror 10)
    955  have their file in the plan
      2  are attached, and their file is not in the bucket: broken today, and after
      3  are attached to nothing and have no file: abandoned uploads
     45  objects that no row names (--only-referenced leaves them)

Forecast (list prices; --prices FILE replaces them)
    time             1 min 30 s – 10 min
    S3 requests                    $0.00
    egress from AWS                $0.27
    total                          $0.27
    requests: azure_write 1,063, s3_get 1,062
    to be done in 2 h: 437 KiB/s and 0.1 objects a second are needed

For example
    1k2v9x4q               84.1 KiB  → uploads/1k2v9x4q
    2026/péché mortel.pdf         ?  → uploads/2026/péché mortel.pdf

Plan 7f3a91: 1,000 to copy, 199 left out, 1 refused.
Saved to blobmove.db. Nothing has been copied.

Next: blobmove copy --resume"""

STOPPED = """\
Stopped after 2 min 8 s: interrupted.

    copied     700     2 GiB  every one proven by checksum
    present     10   512 MiB  were there already, proven identical
    skipped    199     7 MiB  left out by the plan
    refused      1     1 MiB  Azure cannot hold the name
    failed       3     3 MiB  see blobmove status --failed
    pending    287   509 MiB  still to do
    ────────────────────────
    planned  1,200  3.01 GiB

    proven by  etag-md5 680, multipart-etag 30
    reasons    120 × delete-marker, 70 × old-version, 9 × archived, 3 × E403-SOURCE, 1 × name-trailing-dot
    notes      4 × metadata-renamed
    this run   read 2 GiB, wrote 2 GiB (16.0 MiB/s), 1 retry
    S3         GetObject 730
    Azure      PutBlob 680, PutBlock 64, PutBlockList 20

4 objects are not well: blobmove status --failed

Nothing is half-done.

Next: blobmove copy --resume"""

VERIFIED = """\
Checked 713 objects in 9.0 s: sizes and MD5s as Azure lists them.

    =  710  identical
    *    1  different
    +    2  missing on Azure
    5 without an MD5 at Azure were read back
    besides, 4 blobs on Azure that the plan does not know

For example
    size differs  logo.png
    missing       a/b.pdf

Next: blobmove copy --resume --retry-failed"""

DRY_FLIP = """\
active_storage_blobs in mysql://db.internal/acme_production

    service_name   rows  proven on Azure
    amazon        1,945            1,941  → azure
    mirror           10               10  → azure
    ─────────────────────────────────────────────
    total         1,955            1,951
    not touched: local 12

Refused (they keep their service)
    3 × not-copied: 17, 18, 19
    1 × size-differs: 4

How: 2 batches of at most 1,000 rows by primary key, one transaction each.
     Every old value is kept for --undo.

    UPDATE active_storage_blobs SET service_name = 'azure'
     WHERE id IN (1, 2, 3);

Would flip 1,951 rows. Nothing has been changed.
1,955 rows = 1,951 to flip + 4 refused + 0 left for later

Next: blobmove flip-service --from amazon --from mirror --to azure"""


def test_statements_in_a_file_are_not_said_to_be_kept_for_an_undo() -> None:
    told = flip_text(replace(FLIP, script="flip.sql", undo_script="flip.undo.sql"))
    assert "--undo" not in told
    assert "Nothing is journaled: the way back is in flip.undo.sql alone, keep it." in told
    assert "The statements for 1,951 rows are in flip.sql. Nothing has been changed." in told
