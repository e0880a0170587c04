"""What listings say: the time of an object as the SDK reads it, and no object pays for how the SDK reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore import utils
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.model import ObjectVersion
from blobmove.stores.s3.listed import marker_of, moment, version_of

WRITTEN = datetime(2026, 11, 28, 2, 0, 0, 250_000, tzinfo=UTC)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["seconds", "milliseconds", "auto"]))
def test_the_usual_form_is_read_as_the_sdk_reads_it(when: datetime, precision: str) -> None:
    told = f"{when.isoformat(timespec=precision)}Z"
    assert moment(told) == utils.parse_timestamp(told)


@pytest.mark.parametrize("told", [
    "Sat, 28 Nov 2026 02:00:00 GMT", "2026-11-28T04:00:00+02:00", "20261128T020000Z", 1_795_831_200, "1795831200",
])
def test_other_forms_are_left_to_the_sdk(told: str | int) -> None:
    assert moment(told) == WRITTEN.replace(microsecond=0)


@pytest.mark.parametrize("told", ["2026-13-28T02:00:00Z", "2026-11-28T25:00:00Z", "yesterday at noon"])
def test_what_is_no_time_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(told)


def test_the_usual_form_does_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "parse_timestamp", None)
    assert moment("2026-11-28T02:00:00.250Z") == WRITTEN
    assert moment("2026-11-28T02:00:00.250Z").utcoffset() == timedelta(0)


def test_an_entry_of_a_listing_and_a_delete_marker() -> None:
    entry = {"Key": "k", "Size": 3, "ETag": '"e"', "LastModified": WRITTEN, "ChecksumAlgorithm": ["CRC64NVME"]}
    assert version_of(entry) == ObjectVersion(
        key="k", size=3, etag="e", modified_ms=1_795_831_200_250, storage_class="STANDARD",
        checksum_algorithm="CRC64NVME",
    )
    older = version_of({**entry, "VersionId": "v", "IsLatest": False, "StorageClass": "GLACIER"})
    assert (older.version_id, older.is_latest, older.storage_class) == ("v", False, "GLACIER")
    gone = marker_of({"Key": "k", "VersionId": "v", "IsLatest": True, "LastModified": WRITTEN})
    assert (gone.is_delete_marker, gone.is_latest, gone.version_id) == (True, True, "v")
