"""Moving a large object in blocks: proven before it is committed, resumed from what Azure already holds."""

from __future__ import annotations

from dataclasses import replace

from blobmove.core.blocks import Block, ObjectTooLarge, block_size_for, cut, fingerprint, read_block_id
from blobmove.core.digests import stored_checksums
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.headers import blob_properties
from blobmove.core.model import Outcome, Proof, State, Transfer
from blobmove.core.notes import metadata_notes, rails_notes
from blobmove.core.pacing import MAX_CORRUPT
from blobmove.core.proof import Evidence, choose, etag_md5
from blobmove.engine.bench import Bench, OneMachine, encryption_of
from blobmove.engine.blockpass import BlockPass, Found
from blobmove.engine.existing import Verdict, judge
from blobmove.engine.large_proof import Job, PartsDiffer, Shown, choose_digests, show
from blobmove.engine.leftovers import Staged, make_room, staged_under
from blobmove.engine.parts import part_sizes
from blobmove.engine.readback import Sent, require, require_read_back, tier_at_first
from blobmove.engine.requests import Attempts
from blobmove.engine.small import check_version
from blobmove.engine.staging import Staging, block_ids, read_block, staging_pass
from blobmove.stores.azure.blobs import ABSENT, Condition
from blobmove.stores.http import Body


async def move_large(bench: Bench, transfer: Transfer, attempts: Attempts) -> Outcome:
    """Move one object in blocks. Raises StoreError when it cannot be moved."""
    exact, own, trusting = False, transfer.own_blob_etag, True
    for attempt in range(1, MAX_CORRUPT + 2):
        last = attempt > MAX_CORRUPT
        try:
            job = await _describe(bench, replace(transfer, own_blob_etag=own), attempts, exact=exact)
            return await _move(bench, job, attempts, trusting=trusting, last=last)
        except PartsDiffer:
            exact = True
        except StoreError as error:
            if error.kind not in (Kind.CORRUPT, Kind.DISTURBED) or last:
                raise
            attempts.count += 1
            own = error.written_etag or own
            # After a difference a block that Azure holds may be the wrong one: read and compare them all.
            trusting = trusting and error.kind is Kind.DISTURBED
    raise StoreError(Side.SOURCE, Kind.CORRUPT, "ChecksumDiffers", "the parts do not give S3's ETag")


async def _describe(bench: Bench, transfer: Transfer, attempts: Attempts, *, exact: bool) -> Job:
    """Ask S3 once for headers and stored checksums, and for the parts only where the proof needs them."""
    answer = await bench.s3.run(
        lambda: bench.source.head(transfer.key, etag=transfer.etag, version_id=transfer.version_id), attempts
    )
    check_version(transfer, answer)
    etag = answer.etag or transfer.etag or ""
    size = int(answer.headers["content-length"])
    evidence = Evidence(
        etag, encryption_of(answer.headers, transfer.encryption), stored_checksums(answer.headers), transfer.rails
    )
    proof, sizes = choose(evidence), None
    if proof in (Proof.MULTIPART_ETAG, Proof.COMPOSITE):
        sizes = await part_sizes(bench, transfer.key, transfer.version_id, size, attempts, exact=exact)
        if sizes is None:
            proof = choose(replace(evidence, boundaries=False))
    properties, notes = blob_properties(answer.headers, bench.options.metadata_names)
    proof, wanted = choose_digests(proof, evidence)
    if transfer.rails is not None and transfer.rails.sha256 is not None:
        wanted = wanted.also("sha256")  # the row is compared, whatever the proof
    return Job(
        transfer, etag, size, evidence, proof, wanted, _blocks(bench, size, sizes), sizes is not None and not exact,
        properties, notes,
    )


def _blocks(bench: Bench, size: int, sizes: tuple[int, ...] | None) -> tuple[Block, ...]:
    parts = sizes or (size,)
    try:
        return cut(parts, block_size_for(size, bench.options.block_size, len(parts)))
    except ObjectTooLarge as error:
        raise StoreError(Side.DESTINATION, Kind.REJECTED, "ObjectTooLarge", str(error)) from None


async def _move(bench: Bench, job: Job, attempts: Attempts, *, trusting: bool, last: bool) -> Outcome:
    present, condition = await _look(bench, job, attempts)
    if present is not None:
        return present
    name = job.transfer.blob_name
    mark = fingerprint(job.etag, job.size, job.blocks)
    staged = await staged_under(bench, name, attempts)
    room = await make_room(bench, name, staged, condition, attempts)
    staging = Staging(
        job.transfer, job.etag, job.blocks, job.wanted.crc, mark,
        _held(staged, mark, job.blocks) if trusting else {}, room.width, job.wanted.wholes, job.wanted.per_part,
    )
    found = await _stage(bench, job, staging, attempts)
    shown = show(job, found, last=last)
    if shown.proof is Proof.READ_BACK and bench.spread is not None:
        raise OneMachine("it is read twice")
    if shown.proof is Proof.READ_BACK and found.sums.staged:
        await _require_same_again(bench, job, found, attempts)
    ids = block_ids(staging, found.sums)
    try:
        blob_etag = await bench.azure.run(
            lambda: bench.destination.put_block_list(
                name, ids, md5=shown.md5, properties=job.properties, condition=room.condition,
                tier=tier_at_first(bench, shown.proof),
            ),
            attempts, corrupt=True,
        )
    except StoreError as error:
        if error.kind is not Kind.EXISTS:
            raise
        return await _after_race(bench, job, shown, attempts)
    if shown.proof is Proof.READ_BACK:
        await require_read_back(bench, Sent(name, job.size, shown.md5, blob_etag, ours=True), attempts)
    return _outcome(job, State.COPIED, shown, blob_etag, attempts)


async def _stage(bench: Bench, job: Job, staging: Staging, attempts: Attempts) -> Found:
    """Bring all blocks to Azure: by this process, or spread over others. Raises OneMachine where that cannot be."""
    if bench.spread is None:
        return await staging_pass(bench, staging, job.wanted, attempts).run()
    if job.proof is Proof.READ_BACK:
        raise OneMachine("it is read twice")
    return await bench.spread(staging, attempts)


async def _require_same_again(bench: Bench, job: Job, found: Found, attempts: Attempts) -> None:
    """Nobody has a checksum of these bytes: a second reading shows that the first came through unharmed.

    Not needed where nothing had to be staged: then every block came as an earlier reading had found it.
    """
    again = await _read_again(bench, job, attempts)
    require(again.crc64 == found.crc64 and again.wholes == found.wholes, "the digests of a second reading")


async def _read_again(bench: Bench, job: Job, attempts: Attempts) -> Found:
    """One more pass over S3's bytes that stages nothing."""
    return await BlockPass(
        bench.memory, job.blocks, job.wanted,
        lambda block: read_block(bench, job.transfer, job.etag, block, attempts),
    ).run()


def _held(staged: Staged, mark: str, blocks: tuple[Block, ...]) -> dict[int, int]:
    """Index and CRC-64 of the uncommitted blocks that belong to this version cut this way; all others are ignored."""
    held: dict[int, int] = {}
    twice: set[int] = set()
    for text, length in staged:
        told = read_block_id(text)
        if told and told[0] == mark and told[1] < len(blocks) and blocks[told[1]].length == length:
            twice.update({told[1]} if told[1] in held else ())
            held[told[1]] = told[2]
    return {index: crc for index, crc in held.items() if index not in twice}


async def _look(bench: Bench, job: Job, attempts: Attempts) -> tuple[Outcome | None, Condition]:
    """Before any block is sent: is the blob there? Put Block has no conditions; the blocks would be in vain."""
    name = job.transfer.blob_name
    facts = await bench.azure.run(lambda: bench.destination.properties(name), attempts)
    own = job.transfer.own_blob_etag
    if facts is None:
        return None, ABSENT
    if own and facts.etag == own:
        return None, Condition(own)
    md5 = etag_md5(job.etag, job.evidence.encryption)
    proof = Proof.ETAG_MD5
    if md5 is None and facts.size == job.size:
        if bench.spread is not None:
            raise OneMachine("a blob of its size is there, and has to be read")
        shown = await _show_existing(bench, job, facts.etag, attempts)
        md5, proof = (shown.md5, shown.proof) if shown else (None, proof)
    existing = await judge(bench, name, job.size, md5, attempts)
    if existing.verdict is Verdict.WRITE:
        return None, existing.condition
    identical = existing.verdict is Verdict.IDENTICAL
    if proof is Proof.READ_BACK and identical and md5 is not None:
        await require_read_back(bench, Sent(name, job.size, md5, facts.etag, ours=False), attempts)
    return Outcome(
        job.transfer.id, State.PRESENT if identical else State.CONFLICT, existing.reason, attempts=attempts.count,
        size=job.size, proof=proof if identical else None, md5=md5, source_etag=job.etag,
        blob_etag=existing.blob_etag or None, content_type=job.properties.content_type,
        notes=_notes(job, md5),
    ), ABSENT


async def _show_existing(bench: Bench, job: Job, blob_etag: str, attempts: Attempts) -> Shown | None:
    """What an existing blob should be, and by which proof; None where it is shown not to be that.

    By S3's record over Azure's bytes, without reading S3. Where there is no record, or only a row of Rails that may
    be wrong, S3's bytes are read: the blob may be our own, from a run that was killed before it could note it.
    """
    if job.proof is not Proof.READ_BACK:
        shown = await _read_destination(bench, job, blob_etag, attempts)
        if shown is not None or job.proof is not Proof.RAILS_MD5:
            return shown
    found = await _read_again(bench, job, attempts)
    return Shown(Proof.READ_BACK, found.wholes["md5"], found)


async def _read_destination(bench: Bench, job: Job, blob_etag: str, attempts: Attempts) -> Shown | None:
    """Prove an existing blob by S3's record without reading S3: the same pass over Azure's bytes, nothing staged."""
    async def read(block: Block) -> Body:
        body = await bench.azure.run(
            lambda: bench.destination.read(job.transfer.blob_name, block.offset, block.length, etag=blob_etag),
            attempts, corrupt=True, bulk=True,
        )
        bench.counters.bytes_read += block.length
        return body

    found = await BlockPass(bench.memory, job.blocks, job.wanted, read).run()
    try:
        return show(job, found, last=False)
    except StoreError:
        return None


async def _after_race(bench: Bench, job: Job, shown: Shown, attempts: Attempts) -> Outcome:
    name = job.transfer.blob_name
    existing = await judge(bench, name, job.size, shown.md5, attempts)
    if existing.verdict is Verdict.IDENTICAL:
        if shown.proof is Proof.READ_BACK:
            sent = Sent(name, job.size, shown.md5, existing.blob_etag, ours=attempts.lost)
            await require_read_back(bench, sent, attempts)
        return _outcome(job, State.COPIED if attempts.lost else State.PRESENT, shown, existing.blob_etag, attempts)
    if existing.verdict is Verdict.WRITE:
        raise StoreError(Side.DESTINATION, Kind.DISTURBED, "DestinationChanging", "the blob came and went")
    return replace(_outcome(job, State.CONFLICT, shown, "", attempts), reason=existing.reason, proof=None)


def _outcome(job: Job, state: State, shown: Shown, blob_etag: str, attempts: Attempts) -> Outcome:
    return Outcome(
        job.transfer.id, state, attempts=attempts.count, size=job.size, proof=shown.proof, md5=shown.md5,
        crc64=shown.found.crc64, source_etag=job.etag, blob_etag=blob_etag or None,
        content_type=job.properties.content_type,
        notes=_notes(job, shown.md5, shown.found.wholes.get("sha256")),
    )


def _notes(job: Job, md5: bytes | None, sha256: bytes | None = None) -> tuple[str, ...]:
    claimed = metadata_notes(job.properties.metadata, md5)
    return (*job.notes, *claimed, *rails_notes(job.transfer.rails, job.size, md5, sha256))
