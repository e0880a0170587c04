"""The decisions of the way back."""

from __future__ import annotations

import pytest

from blobmove.core.blocks import MIB, ObjectTooLarge, cut
from blobmove.core.model import Proof, RailsFacts
from blobmove.core.reverse import (
    LEAST_PART_BYTES,
    MAX_PARTS,
    part_size_for,
    proof_back,
    read_blob,
    read_object,
    refusal_back,
)

MD5, OTHER = b"m" * 16, b"o" * 16
SHA, OTHER_SHA = b"s" * 32, b"t" * 32


def row(md5: bytes | None = None, sha256: bytes | None = None) -> RailsFacts:
    return RailsFacts(1, "azure", 3, md5, sha256, None)


@pytest.mark.parametrize(("blob_md5", "rails", "proof"), [
    (MD5, row(MD5), Proof.RAILS_MD5),
    (OTHER, row(MD5), Proof.RAILS_MD5),
    (None, row(None, SHA), Proof.RAILS_MD5),
    (MD5, row(OTHER), Proof.AZURE_MD5),
    (MD5, row(None, OTHER_SHA), Proof.AZURE_MD5),
    (MD5, None, Proof.AZURE_MD5),
    (None, row(), None),
    (OTHER, row(OTHER), None),
    (OTHER, None, None),
    (None, None, None),
])  # fmt: skip
def test_a_record_proves_the_bytes_only_where_it_agrees_with_them(
    blob_md5: bytes | None, rails: RailsFacts | None, proof: Proof | None
) -> None:
    assert proof_back(blob_md5, rails, MD5, SHA) is proof


def test_a_row_without_a_sha_256_is_not_taken_for_one_that_agrees() -> None:
    assert proof_back(None, row(), MD5, None) is None


@pytest.mark.parametrize("size", [1, 5 * MIB, 23 * MIB + 1, 50_000 * MIB, 5 * 1024**4])
@pytest.mark.parametrize("wanted", [64 * 1024, 8 * MIB, 512 * MIB])
def test_parts_keep_within_the_limits_of_s3(size: int, wanted: int) -> None:
    part = part_size_for(size, wanted)
    assert part >= LEAST_PART_BYTES
    assert len(cut((size,), part)) <= MAX_PARTS
    assert part == wanted or part < wanted + LEAST_PART_BYTES + size // MAX_PARTS + MIB


def test_what_no_ten_thousand_parts_can_hold_is_refused() -> None:
    with pytest.raises(ObjectTooLarge):
        part_size_for(MAX_PARTS * 5 * 1024 * MIB + 1, 8 * MIB)


@pytest.mark.parametrize(("key", "prefix", "reason"), [
    ("a" * 1024, "", None), ("a" * 1025, "", "name-too-long"), ("ü" * 513, "", "name-too-long"),
    ("files/a", "files/", None), ("other/a", "files/", "outside-prefix"),
])  # fmt: skip
def test_a_key_must_fit_into_s3_and_belong_to_the_migration(key: str, prefix: str, reason: str | None) -> None:
    assert refusal_back(key, prefix) == reason


@pytest.mark.parametrize(("headers", "yardstick"), [
    ({"etag": f'"{MD5.hex()}"'}, ("md5", MD5)),
    ({"etag": f'"{MD5.hex()}"', "x-amz-server-side-encryption": "aws:kms"}, None),
    ({"etag": f'"{MD5.hex()}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
    ({"etag": f'"{MD5.hex()}-3"', "x-amz-checksum-crc64nvme": "AAAAAAAAAAE="}, ("crc64nvme", bytes(7) + b"\x01")),
    ({"etag": f'"{MD5.hex()}-3"', "x-amz-checksum-crc32": "AAAAAQ==-3"}, None),
    ({"etag": f'"{MD5.hex()}-3"'}, None),
])  # fmt: skip
def test_an_object_is_compared_by_s3_s_own_checksum_of_the_whole_or_by_its_bytes(
    headers: dict[str, str], yardstick: tuple[str, bytes] | None
) -> None:
    assert read_object({"content-length": "7", **headers}).yardstick() == yardstick


def test_a_blob_is_read_from_its_headers() -> None:
    blob = read_blob({"content-length": "7", "etag": '"0x8D"', "content-md5": "bW1tbW1tbW1tbW1tbW1tbQ=="})
    assert (blob.size, blob.etag, blob.md5) == (7, "0x8D", MD5)
    assert read_blob({"content-length": "0", "etag": "x"}).md5 is None
