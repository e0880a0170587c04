"""Groups `headers`, `metadata`, `tags` and `tier`: what an object carries arrives with it, or its loss is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import CASES, Case, ids_of, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk, Record
from tests.cloud.control import Cloud
from tests.cloud.facts import StoredBlob
from tests.cloud.specs import Rule

TOGETHER: Final = (*ids_of("headers"), *ids_of("metadata"), *ids_of("tags"))
NOTES: Final[Mapping[str, tuple[str, ...]]] = {
    "H07": ("aws-chunked-removed",),
    "H09": ("header-encoded",),
    "H11": ("redirect-lost",),
    "M03": ("metadata-renamed",),
    "M05": ("metadata-renamed",),
    "M13": ("metadata-md5-differs",),
    "T01": ("tags-not-copied",),
    "T03": ("tags-not-copied",),
}
"""The differences that are recorded; all others arrive without any."""


@dataclass(frozen=True, slots=True)
class Moved:
    """All objects of these groups after one migration."""

    desk: Desk
    records: Mapping[str, Record]
    blobs: Mapping[str, StoredBlob]
    summary: Mapping[str, Any]


@pytest.fixture(scope="module", params=["whole", "in blocks"])
def moved(request: pytest.FixtureRequest, sky: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """Small and large objects take their properties from different requests: both are tried."""
    desk = Desk.create(sky, tmp_path_factory.mktemp("properties"), *(CASES[one].spec() for one in TOGETHER))
    denied = sky.rule(Rule(side="s3", do="answer", operation=CASES["T03"].told["fault"]["op"].partition(":")[2],
                           status=CASES["T03"].told["fault"]["status"]))  # fmt: skip
    desk.plan()
    summary = desk.copy(*(("--whole-object-limit", "0") if request.param == "in blocks" else ()))
    sky.drop_rule(denied)
    assert desk.verify()["identical"] == len(TOGETHER)
    return Moved(desk, desk.records(), sky.blobs(desk.container), summary)


@of(*TOGETHER)
def test_the_bytes_arrive_and_every_difference_is_noted_and_counted(case: Case, moved: Moved) -> None:
    record = moved.desk.ended(case, moved.records)
    moved.desk.holds(case, moved.blobs[case.key])
    assert tuple(filter(None, (record["notes"] or "").split(","))) == NOTES.get(case.id, ())
    for note in NOTES.get(case.id, ()):
        assert moved.summary["notes"][note] == sum(note in notes for notes in NOTES.values())


@of(*(one for one in TOGETHER if "headers" in CASES[one].expect))
def test_content_headers_arrive_as_they_were(case: Case, moved: Moved) -> None:
    found = moved.blobs[case.key].headers
    assert {name: found.get(name) for name in case.expect["headers"]} == case.expect["headers"]
    sent = {"Content-Type", *case.told["headers"]} - {"x-amz-website-redirect-location"}
    assert {*found} <= sent, "nothing that S3 did not say"


@of(*(one for one in TOGETHER if {"metadata", "metadata_any_of"} & {*CASES[one].expect}))
def test_user_metadata_arrive_as_the_case_says(case: Case, moved: Moved) -> None:
    allowed = case.expect.get("metadata_any_of", [case.expect.get("metadata")])
    assert moved.blobs[case.key].metadata in allowed


@of("M07", "M09")
def test_a_metadata_value_is_kept_as_s3_shows_it(case: Case, moved: Moved) -> None:
    assert moved.blobs[case.key].metadata == case.told["metadata"]


@of("M13")
def test_a_wrong_md5_in_the_metadata_is_kept_and_never_believed(case: Case, moved: Moved) -> None:
    assert moved.blobs[case.key].metadata == case.told["metadata"]
    assert moved.records[case.key]["proof"] == "etag-md5"


@of("H09")
def test_a_file_name_outside_ascii_is_written_as_rfc_5987_says(case: Case, moved: Moved) -> None:
    expected = "attachment; filename=\"na_ve.pdf\"; filename*=UTF-8''na%C3%AFve.pdf"
    assert moved.blobs[case.key].headers["Content-Disposition"] == expected


@of("H13")
def test_the_time_of_the_source_is_in_the_record(case: Case, moved: Moved) -> None:
    (stored,) = [one for one in moved.desk.cloud.objects(moved.desk.bucket) if one.key == case.key]
    told = datetime.fromisoformat(moved.records[case.key]["source_modified"])
    assert told.timestamp() == stored.modified


@of("T01", "T03")
def test_tags_are_not_read_and_their_loss_is_told(case: Case, moved: Moved) -> None:
    assert case.id in ARGUED
    assert moved.blobs[case.key].tags == ""
    assert "GetObjectTagging" not in moved.desk.cloud.counts().s3.requests


@of("T04")
def test_the_tier_asked_for_is_written(case: Case, make_desk: MakeDesk) -> None:
    desk = make_desk(case.spec())
    desk.plan()
    desk.copy("--access-tier", case.expect["access_tier"])
    desk.ended(case)
    assert desk.holds(case).tier == case.expect["access_tier"] == "Cool"
