"""Which objects Azure may pull by itself and by which proof, and when it is asked no more."""

from __future__ import annotations

from hashlib import md5

import pytest

from blobmove.core.digests import StoredChecksum
from blobmove.core.errors import Kind, PullRefused, Side, StoreError
from blobmove.core.model import Proof, RailsFacts
from blobmove.core.proof import Evidence
from blobmove.core.settings import Route
from blobmove.core.transfer import (
    MAX_WHOLE_BYTES,
    REFUSALS,
    URL_TOO_LONG,
    Pull,
    Pulling,
    Way,
    content_type_of_row,
    is_plain,
    is_source_s_word,
    streams_instead,
    way_of,
)

MD5 = md5(b"the file").digest()
OTHER = md5(b"another file").digest()
CRC = StoredChecksum("crc64nvme", b"12345678")
PARTS = f"{OTHER.hex()}-3"


def row(md5_of_row: bytes | None = MD5, *, sha256: bytes | None = None, size: int = 8,
        content_type: str | None = "image/png") -> RailsFacts:
    return RailsFacts(1, "amazon", size, md5_of_row, sha256, content_type)


@pytest.mark.parametrize("key", [
    "k3v9x4q0", "variants/abc/def", "2026-11-22/label_7.pdf", "dt=2026/part.0", ".hidden", "a..b",
])  # fmt: skip
def test_a_key_that_needs_no_encoding_is_plain(key: str) -> None:
    assert is_plain(key)


@pytest.mark.parametrize("key", [
    "", "/lead", "dir/", "a//b", "trailing.", "dir./x", ".", "..", "a/../b", "./x", "sp ace", "a+b", "100%", "a%2Fb",
    "q?x", "h#f", "ü", "t~ilde", "it's", "a:b@c", "new\nline", "back\\slash", "k\n",
])  # fmt: skip
def test_a_key_that_azure_could_ask_for_under_another_path_is_not_plain(key: str) -> None:
    assert not is_plain(key)


@pytest.mark.parametrize(("evidence", "pull"), [
    (Evidence(MD5.hex(), "SSE-S3"), Pull(Way.WHOLE, Proof.ETAG_MD5, MD5)),
    (Evidence(MD5.hex(), "SSE-S3", (), row(OTHER)), Pull(Way.WHOLE, Proof.ETAG_MD5, MD5)),
    (Evidence(MD5.hex(), None, (), row()), Pull(Way.WHOLE, Proof.ETAG_MD5, MD5)),
    (Evidence(MD5.hex(), None, (), row(OTHER)), Pull(Way.ASK)),
    (Evidence(MD5.hex(), None), Pull(Way.ASK)),
    (Evidence(MD5.hex(), "SSE-KMS", (), row(OTHER)), Pull(Way.WHOLE, Proof.RAILS_MD5, OTHER)),
    (Evidence(PARTS, "SSE-S3", (), row()), Pull(Way.WHOLE, Proof.RAILS_MD5, MD5)),
    (Evidence(PARTS, "SSE-S3"), Pull(Way.ASK)),
    (Evidence(MD5.hex(), "SSE-C", (), row()), Pull(Way.STREAM)),
    (Evidence(MD5.hex(), "SSE-S3", (), row(None, sha256=b"2" * 32)), Pull(Way.STREAM)),
    (Evidence(PARTS, "SSE-S3", (), row(size=9)), Pull(Way.ASK)),
])  # fmt: skip
def test_what_the_plan_and_the_row_know_may_be_enough(evidence: Evidence, pull: Pull) -> None:
    assert way_of(evidence, 8, described=False) == pull


@pytest.mark.parametrize(("evidence", "pull"), [
    (Evidence(MD5.hex(), None), Pull(Way.WHOLE, Proof.ETAG_MD5, MD5)),
    (Evidence(MD5.hex(), "AES256"), Pull(Way.WHOLE, Proof.ETAG_MD5, MD5)),
    (Evidence(MD5.hex(), "aws:kms", (CRC,)), Pull(Way.STREAM)),
    (Evidence(MD5.hex(), "aws:kms:dsse", (), row(OTHER)), Pull(Way.WHOLE, Proof.RAILS_MD5, OTHER)),
    (Evidence(PARTS, None, (CRC,)), Pull(Way.STREAM)),
    (Evidence(PARTS, None, (CRC,), row(size=9)), Pull(Way.STREAM)),
    (Evidence("", None), Pull(Way.STREAM)),
])  # fmt: skip
def test_once_s3_was_asked_there_is_a_proof_or_the_object_is_streamed(evidence: Evidence, pull: Pull) -> None:
    assert way_of(evidence, 8, described=True) == pull


def test_nothing_is_pulled_where_there_are_no_bytes() -> None:
    assert way_of(Evidence(MD5.hex(), "SSE-S3"), 0, described=True).way is Way.STREAM


def test_above_the_limit_blocks_need_s3_s_crc_64_as_proof_and_its_md5_to_store() -> None:
    most, large = MAX_WHOLE_BYTES, MAX_WHOLE_BYTES + 1
    both = Evidence(MD5.hex(), "AES256", (CRC,))
    assert way_of(both, most, described=True).way is Way.WHOLE
    assert way_of(both, large, described=True) == Pull(Way.BLOCKS, Proof.CRC64NVME, MD5, CRC.value)
    assert way_of(Evidence(MD5.hex(), "SSE-S3"), large, described=False).way is Way.ASK
    for missing in (
        Evidence(MD5.hex(), "AES256"), Evidence(PARTS, "AES256", (CRC,)), Evidence(MD5.hex(), "aws:kms", (CRC,)),
        Evidence(PARTS, "AES256", (CRC,), row(size=large)),
        Evidence(MD5.hex(), "AES256", (StoredChecksum("crc64nvme", b"12345678", 3),)),
    ):  # fmt: skip
        assert way_of(missing, large, described=True).way is Way.STREAM


@pytest.mark.parametrize(("told", "written"), [
    ("image/png", "image/png"), ("application/pdf", "application/pdf"), ("text/plain; charset=utf-8",) * 2,
    ("image/svg+xml", None), ("text/html", None), ("TEXT/HTML; charset=utf-8", None), ("", None), (None, None),
    ("image/png\r\nx-ms-meta-a: b", None), ("ímage/png", None),
])  # fmt: skip
def test_the_row_s_type_is_written_unless_rails_hides_it_from_browsers(told: str | None, written: str | None) -> None:
    assert content_type_of_row(row(content_type=told)) == written


def test_without_a_row_there_is_no_type() -> None:
    assert content_type_of_row(None) is None


def failure(kind: Kind, side: Side = Side.DESTINATION, code: str = "Code") -> StoreError:
    return StoreError(side, kind, code)


@pytest.mark.parametrize(("error", "server", "auto"), [
    (failure(Kind.CORRUPT), True, True),
    (failure(Kind.DISTURBED), True, True),
    (PullRefused(URL_TOO_LONG), True, True),
    (PullRefused("CannotVerifyCopySource"), False, True),
    (failure(Kind.REJECTED), False, True),
    (failure(Kind.STOP_ACCESS), False, True),
    (failure(Kind.EXPIRED, Side.SOURCE), False, True),
    (failure(Kind.EXPIRED), False, False),
    (failure(Kind.THROTTLED), False, False),
    (failure(Kind.UNREACHABLE), False, False),
    (failure(Kind.STOP_CONFIG), False, False),
    (failure(Kind.MISSING, Side.SOURCE), False, False),
    (failure(Kind.CHANGED, Side.SOURCE), False, False),
])  # fmt: skip
def test_a_failed_pull_is_streamed_where_that_can_help_and_was_allowed(
    error: StoreError, server: bool, auto: bool
) -> None:
    assert streams_instead(error, Route.SERVER) is server
    assert streams_instead(error, Route.AUTO) is auto


def test_s3_s_own_word_holds_for_us_but_not_a_403_nor_an_answer_without_a_code() -> None:
    gone = PullRefused("CannotVerifyCopySource", source_status=404, source_code="NoSuchKey")
    unreached = PullRefused("CannotVerifyCopySource", source_status=404)
    assert is_source_s_word(gone, Kind.MISSING)
    assert not is_source_s_word(unreached, Kind.MISSING)
    assert not is_source_s_word(gone, Kind.DENIED)


def test_azure_is_given_up_after_refusals_in_a_row_and_that_is_said_once() -> None:
    pulling = Pulling()
    for _ in range(REFUSALS - 1):
        assert not pulling.refused("CannotVerifyCopySource")
    pulling.worked()
    told = [pulling.refused("CannotVerifyCopySource") for _ in range(REFUSALS + 5)]
    assert told.index(True) == REFUSALS - 1
    assert (sum(told), pulling.given_up) == (1, "CannotVerifyCopySource")
