"""What an operator asked of `flip-service`: see core.settings."""

from __future__ import annotations

from pathlib import Path

from blobmove.core.frozen import frozen
from blobmove.core.settings import DEFAULT_CHECKPOINT, DatabaseAuth


@frozen(kw_only=True)
class FlipSettings:
    """`flip-service`.

    Which rows: those that name one of `from_services` (none named: the only other one there is), only the ids in
    the file `ids` if given, at most `limit` of them. `to_service` is the new name ("" only for an undo).
    What: `dry_run` changes nothing; `undo` is "" for no undo, "last" or the number of the run to take back;
    `sql` is a file to write the statements to instead of running them.
    How: at most `batch_size` rows a transaction; after each a pause of `sleep_ratio` times its duration; while
    `pause_file` exists the flip waits, once `stop_file` exists it ends; `skip_verify` waives a finished `verify`.
    Throttle: it waits while a replica is more than `max_lag` seconds behind, as the replicas of `replica_url_file`
    or the number of `lag_query` tell, or more than `max_threads_running` statements run; above
    `critical_threads_running` it ends.
    Where: `database_url_file` holds the URL, else DATABASE_URL does; `database_auth` is how to log in.
    Approval: `confirmed` once the operator has named the service that rows will leave or enter; `any_server` and
    `allow_replica` as in operations.flip_doors.Approval.
    `born` is a file to write the keys to that were born on the new service, instead of flipping.
    """

    checkpoint: Path = DEFAULT_CHECKPOINT
    from_services: tuple[str, ...] = ()
    to_service: str = ""
    dry_run: bool = False
    undo: str = ""
    batch_size: int = 5000
    ids: Path | None = None
    limit: int | None = None
    sleep_ratio: float = 1.0
    pause_file: Path | None = None
    stop_file: Path | None = None
    skip_verify: bool = False
    sql: Path | None = None
    max_lag: float | None = None
    replica_url_file: tuple[Path, ...] = ()
    lag_query: str | None = None
    max_threads_running: int | None = None
    critical_threads_running: int | None = None
    any_server: bool = False
    allow_replica: bool = False
    born: Path | None = None
    database_url_file: Path | None = None
    database_auth: DatabaseAuth = DatabaseAuth.PASSWORD
    confirmed: bool = False
