"""Proof: the strongest checksum at hand decides, in one fixed order; our own word comes last."""

from __future__ import annotations

import itertools

import pytest

from blobmove.core.digests import ALGORITHMS, StoredChecksum
from blobmove.core.model import ObjectVersion, Proof, RailsFacts
from blobmove.core.proof import (
    Evidence,
    choose,
    composite_checksum,
    etag_is_opaque,
    etag_md5,
    expected,
    readings,
    whole_checksum,
)

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
ETAGS = (MD5, f"{MD5}-2", "opaque-etag", None)
ENCRYPTIONS = (None, "NOT-SSE", "SSE-S3", "AES256", "SSE-KMS", "aws:kms", "DSSE-KMS", "aws:kms:dsse", "SSE-C")
STORED = (
    (), *((StoredChecksum(name, b"x"),) for name in ALGORITHMS),
    *((StoredChecksum(name, b"x", 2),) for name in ("crc32c", "crc32", "sha256", "sha1")),
    (StoredChecksum("crc32c", b"x", 2), StoredChecksum("sha256", b"y")),
)  # fmt: skip
RAILS = (
    None, RailsFacts(1, "amazon", 0, None, None, None), RailsFacts(1, "amazon", 0, b"m" * 16, None, None),
    RailsFacts(1, "amazon", 0, None, b"s" * 32, None),
)  # fmt: skip


def first_in_order(evidence: Evidence) -> Proof:
    """Design section 4, read as a list."""
    opaque = evidence.encryption in ("SSE-KMS", "aws:kms", "DSSE-KMS", "aws:kms:dsse", "SSE-C")
    wholes = {checksum.algorithm for checksum in evidence.stored if checksum.parts is None}
    order = [(Proof.ETAG_MD5, evidence.etag == MD5 and not opaque)]
    order += [(Proof(name), name in wholes) for name in ("crc64nvme", "crc32c", "crc32", "sha256", "sha1")]
    composite = any(checksum.parts is not None for checksum in evidence.stored)
    rails = evidence.rails is not None and bool(evidence.rails.md5 or evidence.rails.sha256)
    order += [
        (Proof.MULTIPART_ETAG, evidence.etag == f"{MD5}-2" and not opaque and evidence.boundaries),
        (Proof.COMPOSITE, composite and evidence.boundaries),
        (Proof.RAILS_MD5, rails),
        (Proof.READ_BACK, True),
    ]
    return next(proof for proof, possible in order if possible)


def test_the_order_holds_for_every_combination() -> None:
    seen = set()
    for etag, encryption, stored, rails, boundaries in itertools.product(
        ETAGS, ENCRYPTIONS, STORED, RAILS, (True, False)
    ):
        evidence = Evidence(etag, encryption, stored, rails, boundaries)
        assert choose(evidence) is first_in_order(evidence), evidence
        seen.add(choose(evidence))
    assert seen == set(Proof) - {Proof.AZURE_MD5}  # of the way back


@pytest.mark.parametrize("encryption", ["SSE-KMS", "aws:kms", "DSSE-KMS", "aws:kms:dsse", "SSE-C"])
def test_an_etag_of_an_encrypted_object_is_no_md5(encryption: str) -> None:
    assert etag_is_opaque(encryption)
    assert etag_md5(MD5, encryption) is None


@pytest.mark.parametrize("encryption", [None, "", "NOT-SSE", "SSE-S3", "AES256"])
def test_an_etag_of_a_plain_object_is_its_md5(encryption: str | None) -> None:
    assert not etag_is_opaque(encryption)
    assert etag_md5(MD5, encryption) == bytes.fromhex(MD5)


def test_whole_and_composite_are_told_apart() -> None:
    composite, whole = StoredChecksum("crc32c", b"x", 3), StoredChecksum("sha1", b"y")
    assert whole_checksum((composite, whole)) is whole
    assert composite_checksum((whole, composite)) is composite
    assert whole_checksum((composite,)) is None
    assert composite_checksum((whole,)) is None


@pytest.mark.parametrize(("etag", "encryption", "algorithm", "proof"), [
    (MD5, "SSE-S3", None, Proof.ETAG_MD5),
    (MD5, "SSE-S3", "CRC64NVME", Proof.ETAG_MD5),
    (MD5, "SSE-KMS", "CRC64NVME", Proof.CRC64NVME),
    (MD5, "SSE-KMS", "SHA256", Proof.SHA256),
    (MD5, "SSE-KMS", "XXHASH3", Proof.READ_BACK),
    (MD5, "SSE-KMS", None, Proof.READ_BACK),
    (f"{MD5}-9", "SSE-S3", "CRC64NVME", Proof.CRC64NVME),
    (f"{MD5}-9", "SSE-S3", "CRC32", Proof.MULTIPART_ETAG),
    (f"{MD5}-9", "SSE-S3", None, Proof.MULTIPART_ETAG),
    (f"{MD5}-9", "SSE-KMS", "SHA256", Proof.COMPOSITE),
    (f"{MD5}-9", "SSE-KMS", None, Proof.READ_BACK),
    (None, None, None, Proof.READ_BACK),
])
def test_the_plan_expects_what_the_inventory_promises(
    etag: str | None, encryption: str | None, algorithm: str | None, proof: Proof
) -> None:
    version = ObjectVersion("k", 10, etag, encryption=encryption, checksum_algorithm=algorithm)
    assert expected(version, None) is proof


def test_the_plan_knows_that_rails_can_prove_it() -> None:
    version = ObjectVersion("k", 10, MD5, encryption="SSE-KMS")
    assert expected(version, RAILS[2]) is Proof.RAILS_MD5
    assert expected(version, RAILS[1]) is Proof.READ_BACK


def test_only_what_nobody_has_a_checksum_of_is_read_twice() -> None:
    assert [proof for proof in Proof if readings(proof) != 1] == [Proof.READ_BACK]
    assert (readings(Proof.READ_BACK), readings(None)) == (2, 1)
