"""Moving an object in one GET and one PUT: its metadata come with the bytes, its proof goes with them."""

from __future__ import annotations

from dataclasses import replace

from blobmove.core.digests import multipart_etag, stored_checksums
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.headers import BlobProperties, blob_properties
from blobmove.core.lanes import LARGE_BYTES
from blobmove.core.model import Outcome, Proof, State, Transfer
from blobmove.core.notes import metadata_notes, rails_notes
from blobmove.core.pacing import MAX_CORRUPT
from blobmove.core.proof import Evidence, choose, composite_checksum, etag_is_opaque, etag_md5, whole_checksum
from blobmove.engine.bench import Bench, encryption_of
from blobmove.engine.existing import Verdict, judge
from blobmove.engine.hashing import crc64, digest, digest_away
from blobmove.engine.leftovers import drop, staged_under
from blobmove.engine.parts import guess, part_sizes
from blobmove.engine.readback import Sent, prove_by_rails, require, require_read_back, tier_at_first
from blobmove.engine.requests import Attempts
from blobmove.stores.azure.blobs import ABSENT, Condition
from blobmove.stores.http import Answer, Body


@frozen
class Proven:
    """A body whose equality with S3's record is shown, or will be by Azure (`etag-md5`) or by reading back."""

    proof: Proof
    md5: bytes
    etag: str
    crc64: bytes | None = None
    notes: tuple[str, ...] = ()


async def move_small(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome:
    """Move one object that fits in memory. Raises StoreError when it cannot be moved.

    Where bytes and checksum differ it is fetched again, at most MAX_CORRUPT times in all.
    """
    memory, size = bench.memory, transfer.size or 1
    if not memory.take_now(size):
        await memory.take(size)
    try:
        return await _move_in_memory(bench, transfer, attempts)
    finally:
        memory.give_back(size)


async def _move_in_memory(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome:
    for attempt in range(1, MAX_CORRUPT + 1):
        try:
            answer = await _read(bench, transfer, attempts)
            proven = await prove(bench, transfer, answer, attempts, last=attempt == MAX_CORRUPT)
            return await _write(bench, transfer, answer, proven, attempts)
        except StoreError as error:
            if error.kind not in (Kind.CORRUPT, Kind.DISTURBED) or attempt == MAX_CORRUPT:
                raise
            attempts.count += 1
            if error.written_etag:
                transfer = replace(transfer, own_blob_etag=error.written_etag)
    raise AssertionError("unreachable")


async def _read(bench: Bench, transfer: Transfer, attempts: Attempts) -> Answer:
    # Only a report that names the encryption makes the ETag an MD5 for certain. A listing does not: without S3's own
    # checksum at hand, an SSE-KMS object would be left with nothing independent to compare.
    wants_checksums = transfer.encryption is None or etag_md5(transfer.etag, transfer.encryption) is None
    answer = await bench.s3.run(
        lambda: bench.source.get(
            transfer.key, etag=transfer.etag, version_id=transfer.version_id,
            checksums=wants_checksums, expect_bytes=transfer.size or 0,
        ),
        attempts, bulk=(transfer.size or 0) >= LARGE_BYTES,
    )
    bench.counters.bytes_read += len(answer.body)
    if bench.bandwidth.limited:
        await bench.bandwidth.pay(len(answer.body))
    check_version(transfer, answer)
    return answer


def check_version(transfer: Transfer, answer: Answer) -> None:
    """S3-compatible stores may ignore If-Match: compare the ETag that came, too. Raises StoreError CHANGED."""
    came = answer.etag
    if transfer.etag and came and came != transfer.etag:
        raise StoreError(Side.SOURCE, Kind.CHANGED, "EtagDiffers", f"{came} instead of {transfer.etag}", status=200)


async def prove(bench: Bench, transfer: Transfer, answer: Answer, attempts: Attempts, *, last: bool) -> Proven:
    """Compare the bytes with the best checksum S3 or Rails has of them.

    Raises StoreError CORRUPT on a difference. Rails alone is believed only on agreement: a row can be wrong, so
    after the last attempt the object is read back instead and the difference noted.
    """
    etag = answer.etag or transfer.etag or ""
    encryption = encryption_of(answer.headers, transfer.encryption)
    known = etag_md5(etag, encryption)
    if known is not None:  # by far the most: Azure will compare, there is nothing to hash here
        sha256 = await _sha256_if_told(transfer, answer.body) if transfer.rails is not None else None
        notes = rails_notes(transfer.rails, len(answer.body), known, sha256)
        return Proven(Proof.ETAG_MD5, known, etag, None, notes)
    evidence = Evidence(etag, encryption, stored_checksums(answer.headers), transfer.rails)
    proof = choose(evidence)
    md5 = await digest_away("md5", answer.body)
    if proof in (Proof.MULTIPART_ETAG, Proof.COMPOSITE):
        proof = await _prove_by_parts(bench, transfer, answer.body, evidence, attempts)
    elif (whole := whole_checksum(evidence.stored)) is not None:
        require(await digest_away(whole.algorithm, answer.body) == whole.value, f"S3's {whole.algorithm}")
    sha256 = await _sha256_if_told(transfer, answer.body)
    if proof is Proof.RAILS_MD5:
        proof = prove_by_rails(transfer.rails, md5, sha256, last=last)
    if proof is Proof.READ_BACK and len(answer.body):
        await _require_same_again(bench, replace(transfer, etag=etag or None), md5, attempts)
    crc = crc64(answer.body).to_bytes(8, "big")
    return Proven(proof, md5, etag, crc, rails_notes(transfer.rails, len(answer.body), md5, sha256))


async def _require_same_again(bench: Bench, transfer: Transfer, md5: bytes, attempts: Attempts) -> None:
    """Nobody has a checksum of these bytes: a second reading shows that the first came through unharmed."""
    async with bench.read_back.hold(max(transfer.size or 0, 1)):
        again = await _read(bench, transfer, attempts)
        require(await digest_away("md5", again.body) == md5, "the MD5 of a second reading")


async def _prove_by_parts(
    bench: Bench, transfer: Transfer, body: Body, evidence: Evidence, attempts: Attempts
) -> Proof:
    """The multipart ETag or the composite checksum, once it is known where the parts end."""
    etag = evidence.etag or ""
    usable = not etag_is_opaque(evidence.encryption)
    if usable and await guess(body, etag) is not None:
        return Proof.MULTIPART_ETAG
    sizes = await part_sizes(bench, transfer.key, transfer.version_id, len(body), attempts, exact=True)
    if sizes is None:
        return choose(replace(evidence, boundaries=False))
    pieces = _pieces(body, sizes)
    if usable:
        found = multipart_etag([await digest_away("md5", piece) for piece in pieces])
        require(found == etag, f"S3's multipart ETag in {len(sizes)} parts")
        return Proof.MULTIPART_ETAG
    composite = composite_checksum(evidence.stored)
    if composite is None:
        return choose(replace(evidence, boundaries=False))
    joined = b"".join([await digest_away(composite.algorithm, piece) for piece in pieces])
    require(digest(composite.algorithm, joined) == composite.value, f"S3's composite {composite.algorithm}")
    return Proof.COMPOSITE


def _pieces(body: Body, sizes: tuple[int, ...]) -> list[memoryview]:
    view, start = memoryview(body), 0
    pieces = []
    for size in sizes:
        pieces.append(view[start:start + size])
        start += size
    return pieces


async def _sha256_if_told(transfer: Transfer, body: Body) -> bytes | None:
    """The SHA-256 of the bytes where the row has one to compare it with."""
    told = transfer.rails is not None and transfer.rails.sha256 is not None
    return await digest_away("sha256", body) if told else None


async def _write(bench: Bench, transfer: Transfer, answer: Answer, proven: Proven, attempts: Attempts) -> Outcome:
    properties, notes = blob_properties(answer.headers, bench.options.metadata_names)
    notes += metadata_notes(properties.metadata, proven.md5)
    state, blob_etag, reason = await _put(bench, transfer, answer.body, properties, proven, attempts)
    settled = state in (State.COPIED, State.PRESENT)
    if proven.proof is Proof.READ_BACK and settled:
        ours = state is State.COPIED
        await require_read_back(
            bench, Sent(transfer.blob_name, len(answer.body), proven.md5, blob_etag, ours), attempts
        )
    return Outcome(
        transfer.id, state, reason, attempts=attempts.count, size=len(answer.body),
        proof=proven.proof if settled else None, md5=proven.md5, crc64=proven.crc64, source_etag=proven.etag,
        blob_etag=blob_etag or None, content_type=properties.content_type, seconds=attempts.seconds,
        notes=(*notes, *proven.notes),
    )


async def _put(
    bench: Bench, transfer: Transfer, body: Body, properties: BlobProperties, proven: Proven, attempts: Attempts
) -> tuple[State, str, str]:
    """State, etag and reason. An existing blob is compared, never blindly overwritten."""
    condition = Condition(transfer.own_blob_etag) if transfer.own_blob_etag else ABSENT
    # Md5Mismatch on S3's own MD5 may have happened on either leg: fetch again. Otherwise the bytes at hand are good.
    resend = proven.proof is not Proof.ETAG_MD5
    for _ in range(3):
        try:
            etag = await bench.azure.run(
                lambda c=condition: bench.destination.put_blob(  # type: ignore[misc]
                    transfer.blob_name, body, md5=proven.md5, properties=properties, condition=c,
                    tier=tier_at_first(bench, proven.proof),
                ),
                attempts, corrupt=resend, bulk=len(body) >= LARGE_BYTES,
            )
        except StoreError as error:
            if error.kind is not Kind.EXISTS:
                raise
        else:
            bench.counters.bytes_written += len(body)
            return State.COPIED, etag, ""
        found = await judge(bench, transfer.blob_name, len(body), proven.md5, attempts)
        if found.verdict is Verdict.IDENTICAL:
            return (State.COPIED if attempts.lost else State.PRESENT), found.blob_etag, ""
        if found.verdict is Verdict.CONFLICT:
            return State.CONFLICT, "", found.reason
        condition = found.condition
        if condition == ABSENT and await staged_under(bench, transfer.blob_name, attempts):
            # No blob, and yet Azure says that there is one: uncommitted blocks alone may be taken for it.
            condition = await drop(bench, transfer.blob_name, attempts)
    return State.CONFLICT, "", "destination-keeps-changing"
