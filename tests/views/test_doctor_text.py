"""`doctor` for people, word for word, and for scripts."""

from __future__ import annotations

from blobmove.core.diagnosis import Area, Diagnosis, Finding, Level
from blobmove.views.doctor_text import doctor_text
from blobmove.views.jsonl import doctor_document
from blobmove.views.layout import Paint
from tests.views.examples import DESTINATION, DIAGNOSIS

PAGE = """\
  ok    S3 bucket          s3://acme-prod-uploads (eu-west-1): reachable, list allowed, 1,000 objects or more
  warn  S3 inventory       CSV of 2026-11-20T01:00Z, 2 d old
                           caused by: uploads since then are not in it
                           hint: plan once more with --list before the cut-over
  FAIL  Azure credentials  no Azure credentials were found  [E401-DESTINATION]
                           hint: az login
  -     Rails table        not configured
                           hint: set DATABASE_URL as Rails does, or --database-url-file FILE

4 looks in 1.2 s: 1 ok, 1 warning, 1 failure, 1 not configured or not tried

Next: blobmove doctor"""


def test_each_finding_is_a_line_with_its_cause_and_hint_below() -> None:
    assert doctor_text(DIAGNOSIS) == PAGE


def test_colour_is_never_needed() -> None:
    painted = doctor_text(DIAGNOSIS, paint=Paint(on=True))
    assert "\x1b[31mFAIL\x1b[0m" in painted


def test_a_foreign_text_cannot_write_to_the_terminal() -> None:
    evil = Finding(Area.SOURCE, "bucket", Level.FAILURE, "no", "\x1b[2J\nok    everything")
    assert "\x1b" not in doctor_text(Diagnosis(None, None, "b", (evil,), 1.0))


def test_the_document_counts_what_it_lists() -> None:
    document = doctor_document(DIAGNOSIS)
    assert document["checks"] == len(document["findings"]) == 4
    assert [document[name] for name in ("ok", "warnings", "failures", "not_configured")] == [1, 1, 1, 1]
    assert (document["exit_code"], document["destination"]) == (4, DESTINATION)
    assert document["findings"][1]["figures"] == {"age_seconds": 172800}
