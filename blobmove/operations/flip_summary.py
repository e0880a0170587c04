"""From the counts of a run to what it has to tell, and the next command to type."""

from __future__ import annotations

import shlex
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from blobmove.core.flip_results import FlipResult
from blobmove.core.flipping import flip_seconds
from blobmove.core.frozen import frozen
from blobmove.operations.flip_born import Born
from blobmove.operations.flip_movers import undo_path_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blobmove.core.flip_settings import FlipSettings
    from blobmove.core.flipping import Outlook
    from blobmove.operations.flip_doors import BlobTable
    from blobmove.operations.flip_movers import Wanted
    from blobmove.operations.flip_walk import Tally


@frozen
class RunFacts:
    """What a run knows besides its tally: `before` counts the rows by service name before it began."""

    from_services: tuple[str, ...]
    to_service: str
    run: int | None
    undo_of: int | None
    remaining: int
    before: Mapping[str, int]
    seconds: float
    outlook: Outlook | None = None
    born: Born = field(default_factory=Born)


def summarise(settings: FlipSettings, table: BlobTable, facts: RunFacts, tally: Tally) -> FlipResult:
    """rows = flipped + sum(refused) + remaining, by construction."""
    sample = tally.sample
    script = None if settings.dry_run or facts.undo_of is not None else settings.sql
    statement = "" if sample is None else _statement(table, sample)
    return FlipResult(
        from_services=facts.from_services,
        to_service=facts.to_service,
        dry_run=settings.dry_run or settings.sql is not None,
        run=facts.run,
        rows=tally.flipped + tally.refusals + facts.remaining,
        flipped=tally.flipped,
        refused=dict(tally.refused),
        remaining=facts.remaining,
        by_service={name: facts.before.get(name, 0) for name in facts.from_services},
        proven_by_service={name: tally.passed[name] for name in facts.from_services},
        examples={reason: tuple(ids) for reason, ids in tally.examples.items()},
        batches=tally.batches,
        batch_size=settings.batch_size,
        statement=statement,
        database=table.describe(),
        undo_of=facts.undo_of,
        other_services={name: rows for name, rows in facts.before.items() if name not in facts.from_services},
        seconds=facts.seconds,
        next=_next(settings, facts, tally),
        stopped=tally.stopped,
        first_id=None if tally.first is None else str(tally.first),
        last_id=None if tally.last is None else str(tally.last),
        sample_key="" if sample is None else sample.rows[0].key,
        estimate_seconds=flip_seconds(tally.flipped, settings.sleep_ratio) if settings.dry_run else (0.0, 0.0),
        log_bytes=tally.flipped * facts.outlook.bytes_a_row if facts.outlook else 0,
        outlook=facts.outlook,
        born=facts.born.rows,
        born_examples=facts.born.examples,
        script="" if script is None else str(script),
        undo_script="" if script is None else str(undo_path_of(script)),
    )


def _statement(table: BlobTable, sample: Wanted) -> str:
    return table.statement([row.id for row in sample.rows], sample.rows[0].service_name, sample.new)


def summary_record(result: FlipResult) -> dict[str, Any]:
    """What the journal keeps of a run that ended."""
    return {
        "rows": result.rows,
        "flipped": result.flipped,
        "refused": result.refused,
        "remaining": result.remaining,
        "stopped": result.stopped,
        "seconds": round(result.seconds, 3),
    }


def _next(settings: FlipSettings, facts: RunFacts, tally: Tally) -> str:
    """The real run after a dry one, the same again while rows are left, else a look at what was refused."""
    if (settings.dry_run and tally.flipped) or facts.remaining:
        waivers = () if settings.dry_run or _ids_done(settings, tally) else _WAIVERS
        return shlex.join([*_rows(settings, facts, tally), *_flags(settings, (*waivers, *_MANNER))])
    if not tally.kept:
        return ""
    look = ["plan"] if tally.refused["not-in-plan"] else ["status", "--failed"]
    return shlex.join(["blobmove", *look, *_flags(settings, ("checkpoint",))])


_MANNER: Final = (
    "batch_size", "sleep_ratio", "max_lag", "replica_url_file", "lag_query", "max_threads_running",
    "critical_threads_running", "pause_file", "stop_file", "database_url_file", "database_auth", "checkpoint",
)
"""How a flip goes on, wherever that was set: a run without the limits of the one before would be another one.

No secret is among them: URLs with passwords are in the environment or in the files that are named.
"""

_WAIVERS: Final = ("skip_verify", "any_server", "allow_replica")
"""They go on with what they were given for. A look needs none, and a waiver for a few ids is none for the table."""


def _rows(settings: FlipSettings, facts: RunFacts, tally: Tally) -> list[str]:
    """What the next run is about."""
    if facts.undo_of is not None:
        return ["blobmove", "flip-service", "--undo", str(facts.undo_of), *_flags(settings, ("limit",))]
    names = [word for name in facts.from_services for word in ("--from", name)]
    words = ["blobmove", "flip-service", *names, "--to", facts.to_service]
    words += _flags(settings, ("limit",) if _ids_done(settings, tally) else ("ids", "limit"))
    return words if settings.sql is None else [*words, "--sql", "FILE"]  # the one just written stays as it is


def _ids_done(settings: FlipSettings, tally: Tally) -> bool:
    """A file of ids that has been flipped to its end is not gone through again; a limit may have come before that."""
    cut_short = settings.dry_run or tally.stopped or tally.flipped == settings.limit
    return settings.ids is not None and not cut_short


def _flags(settings: FlipSettings, names: Sequence[str]) -> list[str]:
    """What these settings are is said outright, also where it is the default: blobmove.toml or a variable may say
    otherwise where the command is typed. Only what was set nowhere has no flag (tests/cli/test_flip_service.py)."""
    words: list[str] = []
    for name in names:
        value, flag = getattr(settings, name), "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple):
            words += [word for one in value for word in (flag, str(one))]
        elif value is not None and value is not False:
            words += [flag, f"{value:.12g}" if isinstance(value, float) else str(value)]
    return words
