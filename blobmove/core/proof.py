"""Which checksum proves a copy: chosen from what S3, the GET and the Rails row offer, never from our own word."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from blobmove.core.digests import ALGORITHMS, StoredChecksum, md5_of_etag, parts_of_etag
from blobmove.core.frozen import frozen
from blobmove.core.model import Proof

if TYPE_CHECKING:
    from blobmove.core.model import ObjectVersion, RailsFacts

_OPAQUE: Final = ("kms", "sse-c", "dsse")
_WHOLE: Final = {name: Proof(name) for name in ALGORITHMS}


@frozen
class Evidence:
    """All that is known about one object's checksums.

    `encryption` is the inventory's word (SSE-S3, SSE-KMS, ...) or that of the answer's headers; None: unknown.
    `boundaries` says whether the part boundaries can be learnt (multipart objects only).
    """

    etag: str | None
    encryption: str | None = None
    stored: tuple[StoredChecksum, ...] = ()
    rails: RailsFacts | None = None
    boundaries: bool = True


@cache
def etag_is_opaque(encryption: str | None) -> bool:
    """Whether the ETag says nothing about the content: SSE-KMS, DSSE-KMS and SSE-C (s3.md section 2)."""
    text = (encryption or "").lower()
    return any(word in text for word in _OPAQUE)


def etag_md5(etag: str | None, encryption: str | None) -> bytes | None:
    """S3's MD5 of a single-part object, or None where its ETag is not one."""
    return None if etag_is_opaque(encryption) else md5_of_etag(etag)


def whole_checksum(stored: tuple[StoredChecksum, ...]) -> StoredChecksum | None:
    """The best full-object checksum S3 stored, or None."""
    return next((checksum for checksum in stored if checksum.parts is None), None)


def composite_checksum(stored: tuple[StoredChecksum, ...]) -> StoredChecksum | None:
    """The best checksum of checksums S3 stored, or None."""
    return next((checksum for checksum in stored if checksum.parts is not None), None)


def choose(evidence: Evidence) -> Proof:
    """The strongest proof the evidence allows, in the order of design section 4."""
    if etag_md5(evidence.etag, evidence.encryption) is not None:
        return Proof.ETAG_MD5
    whole = whole_checksum(evidence.stored)
    if whole is not None:
        return _WHOLE[whole.algorithm]
    multipart = parts_of_etag(evidence.etag) is not None
    if multipart and evidence.boundaries and not etag_is_opaque(evidence.encryption):
        return Proof.MULTIPART_ETAG
    if evidence.boundaries and composite_checksum(evidence.stored) is not None:
        return Proof.COMPOSITE
    if evidence.rails is not None and (evidence.rails.md5 or evidence.rails.sha256):
        return Proof.RAILS_MD5
    return Proof.READ_BACK


def readings(proof: Proof | None) -> int:
    """How often S3 is read for an object: twice where nobody has a checksum of its bytes, so that two agree."""
    return 2 if proof is Proof.READ_BACK else 1


def expected(version: ObjectVersion, rails: RailsFacts | None) -> Proof:
    """What `plan` can say before any GET: the inventory names the checksum's algorithm, not its value.

    A multipart object with CRC64NVME has it over the whole object (no other form exists); for the other
    algorithms whole and composite cannot be told apart yet, so the ETag is expected to decide.
    """
    stored: tuple[StoredChecksum, ...] = ()
    algorithm = (version.checksum_algorithm or "").lower()
    if algorithm in ALGORITHMS:
        single = parts_of_etag(version.etag) is None
        stored = (StoredChecksum(algorithm, b"", None if single or algorithm == "crc64nvme" else 1),)
    return choose(Evidence(version.etag, version.encryption, stored, rails))
