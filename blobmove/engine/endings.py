"""How an object ends that could not be moved, in either direction: as an outcome, in doubt, or with the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from blobmove.core.circuit import DOUBTFUL, Doubt
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.model import Outcome, State
from blobmove.core.transfer import CANNOT_PULL
from blobmove.engine.bench import GeneralFailure
from blobmove.engine.requests import Attempts

Ends = Mapping[tuple[Side, Kind], tuple[State, str]]
"""Answers that are no failure: what was to be moved is another by now, or gone. State and reason."""

_GENERAL: Final = (Kind.STOP_ACCESS, Kind.STOP_CONFIG, Kind.EXPIRED)


def ended(row: int, error: StoreError, attempts: Attempts, ends: Ends) -> Outcome | Doubt:
    """The end of the object of this row. Raises GeneralFailure where the answer concerns every object."""
    if error.kind in _GENERAL:
        raise GeneralFailure(error)
    state, reason = ends.get((error.side, error.kind)) or (State.FAILED, _code(error))
    detail = f"{error.status or ''} {error.code}: {error.detail}".strip().removesuffix(":")
    outcome = Outcome(
        row, state, reason, detail, attempts=attempts.count, blob_etag=error.written_etag or None,
        seconds=attempts.seconds,
    )
    if error.kind in DOUBTFUL:
        return Doubt(outcome, error.side, error.kind, error.code, error.detail)
    return outcome


def _code(error: StoreError) -> str:
    """The reason code of a failure (docs/reference/errors.md)."""
    if error.code == CANNOT_PULL:
        return "E403-PULL"
    if error.kind is Kind.CORRUPT:
        return f"E422-{error.side.upper()}"
    if error.kind in (Kind.UNREACHABLE, Kind.TRANSIENT) and not error.status:
        return f"E000-{error.side.upper()}"
    return f"E{error.status or 400}-{error.side.upper()}"
