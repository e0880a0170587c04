"""Digests: how S3, Azure and Rails write checksums down, and what an ETag says."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.digests import (
    StoredChecksum,
    azure_crc64,
    bare,
    from_base64,
    md5_of_etag,
    multipart_etag,
    parts_of_etag,
    stored_checksums,
    to_base64,
)


@pytest.mark.parametrize(("quoted", "plain"), [('"abc-2"', "abc-2"), (' "abc" ', "abc"), ("abc", "abc"), ("", "")])
def test_an_etag_loses_its_quotes(quoted: str, plain: str) -> None:
    assert bare(quoted) == plain


@given(st.binary())
def test_a_plain_etag_spells_an_md5(body: bytes) -> None:
    etag = hashlib.md5(body).hexdigest()
    assert md5_of_etag(etag) == hashlib.md5(body).digest()
    assert parts_of_etag(etag) is None


@pytest.mark.parametrize("etag", [
    None, "", "abc", "d41d8cd98f00b204e9800998ecf8427e-1", "D41D8CD98F00B204E9800998ECF8427E",
    "d41d8cd98f00b204e9800998ecf8427e\n", "0x8DCE5A1B2C3D4E5",
    "opaque-etag-of-thirty-two-chars.",
])
def test_any_other_etag_spells_none(etag: str | None) -> None:
    assert md5_of_etag(etag) is None


@pytest.mark.parametrize(("etag", "parts"), [
    ("d41d8cd98f00b204e9800998ecf8427e-1", 1), ("d41d8cd98f00b204e9800998ecf8427e-10000", 10000),
    ("d41d8cd98f00b204e9800998ecf8427e-0", None), ("d41d8cd98f00b204e9800998ecf8427e-", None),
    ("d41d8cd98f00b204e9800998ecf8427e", None), ("abc-2", None), ("", None), (None, None),
])
def test_a_multipart_etag_tells_its_number_of_parts(etag: str | None, parts: int | None) -> None:
    assert parts_of_etag(etag) == parts


def test_the_multipart_etag_is_the_one_a_server_gave() -> None:
    parts = (b"\x01" * (5 * 1024 * 1024), b"\x02" * 3)
    assert multipart_etag(hashlib.md5(part).digest() for part in parts) == "c6e0105ebf4dd1e80dd26e681b38fb08-2"


def test_the_whole_object_checksums_come_cheapest_first() -> None:
    assert stored_checksums({
        "x-amz-checksum-sha256": to_base64(b"s" * 32), "x-amz-checksum-crc64nvme": to_base64(b"n" * 8),
        "x-amz-checksum-type": "FULL_OBJECT",
    }) == (StoredChecksum("crc64nvme", b"n" * 8), StoredChecksum("sha256", b"s" * 32))  # fmt: skip


def test_a_composite_checksum_says_of_how_many_parts() -> None:
    headers = {"x-amz-checksum-crc32": "qUx1kw==-2", "x-amz-checksum-type": "COMPOSITE"}
    assert stored_checksums(headers) == (StoredChecksum("crc32", bytes.fromhex("a94c7593"), 2),)
    del headers["x-amz-checksum-type"]
    assert stored_checksums(headers) == (StoredChecksum("crc32", bytes.fromhex("a94c7593"), 2),)


@pytest.mark.parametrize("headers", [
    {},
    {"x-amz-checksum-crc32": "qUx1kw==", "x-amz-checksum-type": "COMPOSITE"},
    {"x-amz-checksum-crc32": "not base64!"},
    {"x-amz-checksum-crc32": ""},
    {"x-amz-checksum-crc32": "qUx1kw==-many"},
    {"x-amz-checksum-xxhash3": "qUx1kw=="},
])
def test_a_checksum_that_cannot_be_recomputed_is_none(headers: dict[str, str]) -> None:
    assert stored_checksums(headers) == ()


@given(st.binary())
def test_base64_is_read_back(value: bytes) -> None:
    assert from_base64(to_base64(value)) == value


@pytest.mark.parametrize("text", [None, "a", "ä===", "a b c d", "YWJj\n"])
def test_what_is_no_base64_is_none(text: str | None) -> None:
    assert from_base64(text) is None


@given(st.integers(0, 2**64 - 1))
def test_azure_and_s3_write_the_same_crc64_in_opposite_order(value: int) -> None:
    assert base64.b64decode(azure_crc64(value))[::-1] == value.to_bytes(8, "big")


def test_azures_crc64_of_hello_world_is_the_documented_one() -> None:
    assert azure_crc64(int.from_bytes(base64.b64decode("jSnVw/bqjr4="), "big")) == "vo7q9sPVKY0="
