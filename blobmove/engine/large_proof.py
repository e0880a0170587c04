"""Which digests of a large object are computed, and whether they show that it arrived."""

from __future__ import annotations

from blobmove.core.blocks import Block
from blobmove.core.digests import multipart_etag
from blobmove.core.frozen import frozen
from blobmove.core.headers import BlobProperties
from blobmove.core.model import Proof, Transfer
from blobmove.core.proof import Evidence, composite_checksum, etag_md5, whole_checksum
from blobmove.engine.blockpass import Found, Wanted
from blobmove.engine.hashing import digest, is_crc
from blobmove.engine.readback import prove_by_rails, require


@frozen
class Job:
    """One large object as S3 described it, the proof chosen for it, and how it is cut."""

    transfer: Transfer
    etag: str
    size: int
    evidence: Evidence
    proof: Proof
    wanted: Wanted
    blocks: tuple[Block, ...]
    guessed: bool
    properties: BlobProperties
    notes: tuple[str, ...]


@frozen
class Shown:
    """A pass whose digests agree with the record: the proof used and the MD5 to store."""

    proof: Proof
    md5: bytes
    found: Found


class PartsDiffer(Exception):
    """Raised when the multipart ETag does not fit the part sizes assumed; they must be asked for one by one."""


def choose_digests(proof: Proof, evidence: Evidence) -> tuple[Proof, Wanted]:
    """The digests to compute. An MD5 is only computed where none is known to store, or where it is the proof."""
    whole = whole_checksum(evidence.stored)
    if proof is Proof.ETAG_MD5 and whole is not None and is_crc(whole.algorithm):
        return Proof(whole.algorithm), Wanted(crc=whole.algorithm)  # S3's CRC proves, S3's MD5 is stored
    if proof is Proof.MULTIPART_ETAG:
        return proof, Wanted(("md5",), per_part="md5")
    composite = composite_checksum(evidence.stored)
    if proof is Proof.COMPOSITE and composite is not None:
        return proof, Wanted(("md5",), per_part=composite.algorithm)
    if whole is not None and proof is not Proof.ETAG_MD5:
        return proof, Wanted(("md5",), crc=whole.algorithm) if is_crc(whole.algorithm) else Wanted(
            ("md5", whole.algorithm)
        )
    return proof, Wanted(("md5",))


def show(job: Job, found: Found, *, last: bool) -> Shown:
    """Compare a pass with S3's record or Rails'. Raises StoreError CORRUPT, or PartsDiffer for a wrong guess."""
    known = etag_md5(job.etag, job.evidence.encryption)
    md5 = found.wholes.get("md5") or known or b""
    proof, whole = job.proof, whole_checksum(job.evidence.stored)
    if proof is Proof.ETAG_MD5:
        require(md5 == known, "S3's MD5")
    elif proof is Proof.MULTIPART_ETAG:
        if job.guessed and multipart_etag(found.parts) != job.etag:
            raise PartsDiffer
        require(multipart_etag(found.parts) == job.etag, "S3's multipart ETag")
    elif proof is Proof.COMPOSITE:
        _show_composite(job, found)
    elif proof is Proof.RAILS_MD5:
        proof = prove_by_rails(job.evidence.rails, md5, found.wholes.get("sha256"), last=last)
    elif whole is not None:
        seen = found.crc if is_crc(whole.algorithm) else found.wholes.get(whole.algorithm)
        require(seen == whole.value, f"S3's {whole.algorithm}")
    return Shown(proof, md5, found)


def _show_composite(job: Job, found: Found) -> None:
    composite = composite_checksum(job.evidence.stored)
    same = composite is not None and digest(composite.algorithm, b"".join(found.parts)) == composite.value
    if not same and job.guessed:
        raise PartsDiffer
    require(same, "S3's composite checksum")
