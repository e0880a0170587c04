"""Before the first row is changed: approvals, the server's role and rights, the lock, and what a crash left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blobmove.core.errors import AccessError, RefusedError
from blobmove.core.events import Note

if TYPE_CHECKING:
    from blobmove.checkpoint.journal import UnsettledBatch
    from blobmove.core.flipping import ServerFacts
    from blobmove.operations.flip_doors import Approval, FlipDoors
    from blobmove.operations.flip_patience import Patience


def require_verified(doors: FlipDoors, *, waived: bool, dry_run: bool) -> None:
    """Raises RefusedError E412-VERIFY unless `verify` has passed since the last copy; a dry run only says so."""
    if doors.ledger.last_verify_passed():
        return
    message = "no verification has passed since the last copy"
    if waived:
        doors.listener(Note(f"{message}; going on, because --skip-verify was given"))
    elif dry_run:
        doors.listener(Note(f"{message}: the real run will refuse until `blobmove verify` has passed"))
    else:
        raise RefusedError("E412-VERIFY", message, hint="blobmove verify")


def require_confirmed(approval: Approval, name: str) -> None:
    """Raises RefusedError E412-CONFIRM: this changes where a live application reads its files."""
    if not approval.confirmed:
        raise RefusedError("E412-CONFIRM", "this change has not been confirmed", hint=f"--confirm {name}")


def look_at_server(doors: FlipDoors, facts: ServerFacts, patience: Patience, approval: Approval) -> None:
    """For a dry run: say what the real run would stumble over."""
    problem = _role_problem(doors, facts, allow_replica=approval.replica)
    if problem is not None:
        doors.listener(Note(f"{problem.message}: the real run will refuse"))
        return  # a read-only server may answer the next question with a wrong reason
    _tell_doubt(doors, facts)
    try:
        patience.ask(doors.table.check_grants)
    except AccessError as error:
        doors.listener(Note(f"{error.message}: {error.cause or error.code}"))


def make_ready(doors: FlipDoors, facts: ServerFacts, patience: Patience, approval: Approval) -> None:
    """Role, rights, lock, and the batches whose fate is unknown. Nothing of the table is changed.

    Raises RefusedError E412-READ-ONLY, E412-REPLICA, E412-SERVER, AccessError E403-DATABASE, HeldError E409-FLIP.
    """
    problem = _role_problem(doors, facts, allow_replica=approval.replica)
    if problem is not None:
        raise problem
    _tell_doubt(doors, facts)
    patience.ask(doors.table.check_grants)
    patience.ask(doors.table.lock)  # also: a killed run's session, and any UPDATE it had under way, is over by now
    for batch in doors.journal.unsettled():
        require_same_server(doors, batch.server, facts.identity, approval)
        _reconcile(doors, patience, batch)
    doors.journal.flush()


def require_same_server(doors: FlipDoors, journaled: str, present: str, approval: Approval) -> None:
    """Raises RefusedError E412-SERVER when the journal speaks of another server than the one that answers."""
    if journaled != present and not approval.any_server:
        raise RefusedError(
            "E412-SERVER",
            f"the journal was written for another server than {doors.table.describe()}",
            cause=f"journal {journaled}, answering now {present}",
            hint="set DATABASE_URL to the database that was flipped; --any-server if this one has taken its place",
        )


def _reconcile(doors: FlipDoors, patience: Patience, batch: UnsettledBatch) -> None:
    """The process died between journal and answer: the rows themselves say whether the UPDATE was committed."""
    current = patience.ask(lambda: doors.table.current(batch.ids))
    kept = [one for one in batch.ids if current[one] != batch.new]
    doors.journal.settle_batch(batch.run, batch.number, doors.now(), len(batch.ids), kept)
    doors.listener(
        Note(
            f"batch {batch.number} of run {batch.run} had been cut short:"
            f" {len(batch.ids) - len(kept)} of its {len(batch.ids)} rows were changed"
        )
    )


def _tell_doubt(doors: FlipDoors, facts: ServerFacts) -> None:
    """A check that could not be made is not one that was passed."""
    if facts.replica is None:
        told = f"this user may not ask whether the server at {doors.table.describe()} is itself a replica"
        right = "GRANT REPLICATION CLIENT (MySQL) or SLAVE MONITOR (MariaDB) lets blobmove look"
        doors.listener(Note(f"{told}: make sure that it is the writer which the application uses; {right}"))


def _role_problem(doors: FlipDoors, facts: ServerFacts, *, allow_replica: bool) -> RefusedError | None:
    where = doors.table.describe()
    if facts.read_only:
        return RefusedError(
            "E412-READ-ONLY",
            f"the server at {where} is read-only",
            hint="point DATABASE_URL at the writer the application uses",
        )
    if facts.replica and not allow_replica:
        return RefusedError(
            "E412-REPLICA",
            f"the server at {where} is itself a replica: what is changed here may be lost or break replication",
            hint="point DATABASE_URL at the writer the application uses; --allow-replica if this one is it",
        )
    return None
