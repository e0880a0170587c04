"""Whether the flip may send its next batch: pause and stop files, the lag of replicas, the load of the server.

What stands still waits: a lag nobody can tell is no lag of zero (pt-archiver does the same).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from blobmove.core.errors import UsageError
from blobmove.core.flip_results import STOP_FILE
from blobmove.core.flipping import DatabaseTrouble, why_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from blobmove.core.flip_settings import FlipSettings
    from blobmove.operations.flip_doors import FlipDoors
    from blobmove.operations.flip_patience import Patience

LOOK_SECONDS: Final = 0.5
"""Replicas and load are looked at no more often than that while all is well, and once a second while it is not."""
DEFAULT_MAX_LAG: Final = 1.0
"""Seconds, where replicas or a query are named and no --max-lag: pt-archiver's default."""


class Verdict(NamedTuple):
    """Why to wait, why to stop; "" for neither."""

    wait: str = ""
    stop: str = ""


class Throttle:
    """Asked before each batch; `settings` and `doors` say what there is to look at."""

    def __init__(self, settings: FlipSettings, doors: FlipDoors, patience: Patience) -> None:
        self._settings = settings
        self._doors = doors
        self._patience = patience
        self._looked: float | None = None
        self._last = Verdict()
        named = bool(doors.replicas) or settings.lag_query is not None
        self._max_lag = DEFAULT_MAX_LAG if settings.max_lag is None and named else settings.max_lag

    def require_answers(self) -> None:
        """Look once, so that a wrong word ends the run before it begins. Raises UsageError, AccessError."""
        if self._max_lag is not None:
            self._lags()
        if self._watches_threads():
            self._threads()

    def stop_asked(self) -> str:
        """Why the run is to end now, as far as the operator has said so."""
        if self._doors.stop():
            return "interrupted"
        stop = self._settings.stop_file
        return f"{STOP_FILE}{stop}" if stop is not None and stop.exists() else ""

    def look(self) -> Verdict:
        """What to do with the next batch."""
        stop = self.stop_asked()
        if stop:
            return Verdict(stop=stop)
        pause = self._settings.pause_file
        if pause is not None and pause.exists():
            return Verdict(wait=f"paused while {pause} exists")
        if self._max_lag is None and not self._watches_threads():
            return Verdict()
        now = self._doors.clock()
        if self._looked is None or self._last.wait or now - self._looked >= LOOK_SECONDS:
            self._looked, self._last = now, self._measured()
        return self._last

    def _measured(self) -> Verdict:
        settings = self._settings
        if self._watches_threads():
            threads = self._threads()
            if settings.critical_threads_running is not None and threads > settings.critical_threads_running:
                told = f"{threads} threads are running (--critical-threads-running {settings.critical_threads_running})"
                return Verdict(stop=told)
            if settings.max_threads_running is not None and threads > settings.max_threads_running:
                told = f"{threads} threads are running (--max-threads-running {settings.max_threads_running})"
                return Verdict(wait=f"waiting: {told}")
        why = "" if self._max_lag is None else why_wait(self._lags(), self._max_lag)
        return Verdict(wait=f"waiting: {why}" if why else "")

    def _watches_threads(self) -> bool:
        return (self._settings.max_threads_running, self._settings.critical_threads_running) != (None, None)

    def _threads(self) -> int:
        return self._patience.ask(self._doors.reading.threads_running)

    def _lags(self) -> dict[str, float | None]:
        """By replica; where none is named, by the query or as the server itself tells it."""
        doors, query = self._doors, self._settings.lag_query
        if query is not None:
            if not doors.replicas:
                return {"--lag-query": self._patience.ask(lambda: doors.reading.number(query))}
            return {one.name: _unless_away(lambda: one.number(query)) for one in doors.replicas}  # noqa: B023
        if doors.replicas:
            return {one.name: _unless_away(one.lag) for one in doors.replicas}
        standbys = self._patience.ask(doors.reading.standby_lags)
        if standbys is None:
            raise UsageError(
                "E400-LAG", "--max-lag needs a replica to look at",
                cause=f"{doors.table.describe()} cannot tell how far its replicas are",
                hint="--replica-url-file FILE with the URL of each replica, or --lag-query SQL",
            )  # fmt: skip
        return standbys


def _unless_away(question: Callable[[], float | None]) -> float | None:
    """A replica that does not answer is one whose lag is unknown."""
    try:
        return question()
    except DatabaseTrouble:
        return None
