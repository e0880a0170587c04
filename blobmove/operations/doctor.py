"""`doctor`: independent looks side by side, each bounded in time, and what they found in the order of their areas."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import anyio
from anyio import from_thread, lowlevel

from blobmove.core.diagnosis import Area, Finding, failed, silent
from blobmove.core.errors import BlobmoveError, Kind, StoreError
from blobmove.core.frozen import frozen
from blobmove.operations.troubles import explain

T = TypeVar("T")

Tell = Callable[[Finding], None]
SECONDS: Final = 15.0
"""So long a look may take where nobody answers: a person still waits."""
LONG: Final = 60.0
"""And where 8 MiB travel both ways."""
PAUSE_SECONDS: Final = 1.0


@frozen
class Look:
    """One thing to look at. What it tells before it ends, however it ends, is kept."""

    area: Area
    check: str
    at: Callable[[Tell], Awaitable[None]]
    seconds: float = SECONDS


async def side_by_side(looks: Sequence[Look], tell: Tell) -> bool:
    """Take all these looks at once; tells what they found in their order. Whether each came to its end."""
    found: list[list[Finding]] = [[] for _look in looks]
    ended: list[bool] = [False] * len(looks)

    async def take(place: int) -> None:
        ended[place] = await bounded(looks[place], found[place].append)

    try:
        async with anyio.create_task_group() as group:
            for place in range(len(looks)):
                group.start_soon(take, place)
    finally:  # also where all of them together took too long
        for one in (finding for findings in found for finding in findings):
            tell(one)
    return all(ended)


async def bounded(look: Look, tell: Tell) -> bool:
    """One look: an error of ours becomes a finding, and so does silence. Whether it came to its end."""
    with anyio.move_on_after(look.seconds):
        error = await _ending(look, tell)
        if error is not None:
            tell(failed(look.area, look.check, error))
        return error is None
    tell(silent(look.area, look.check, look.seconds))
    return False


async def _ending(look: Look, tell: Tell) -> BlobmoveError | None:
    """What ended this look, None for its own end. A hiccup is no finding: then it is taken once more."""
    told: list[Finding] = []

    def keep(finding: Finding) -> None:
        told.append(finding)
        tell(finding)

    for last in (False, True):
        try:
            await look.at(keep)
        except BlobmoveError as error:
            return error
        except StoreError as error:
            if last or told or error.kind not in (Kind.TRANSIENT, Kind.THROTTLED):
                return _without_resume(explain(error))
            await anyio.sleep(PAUSE_SECONDS)
        else:
            break
    return None


def _without_resume(error: BlobmoveError) -> BlobmoveError:
    """Nothing was going on: the hint ends where that of a copy says how to go on."""
    error.hint = (error.hint or "").partition(", then: blobmove")[0] or None
    return error


async def aside(body: Callable[[], T]) -> T:
    """Run what blocks in a thread that nobody waits for once the look is over.

    A worker thread of the pool would keep the whole process from ending until a database gives its answer. What is done
    in it must be nothing but reading: it may go on until the process ends (docs/decisions/0019).
    """
    token, done = lowlevel.current_token(), anyio.Event()
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(body())
        except BaseException as error:  # raised again on the other side
            errors.append(error)
        with suppress(RuntimeError):  # nobody is there any more
            from_thread.run_sync(done.set, token=token)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    await done.wait()
    if errors:
        raise errors[0]
    return answers[0]


async def tell_aside(body: Callable[[], Iterable[Finding]], tell: Tell) -> None:
    """Tell what `body` finds in such a thread, each finding as it comes; none any more once the look is over."""
    token, over = lowlevel.current_token(), False

    def unless_over(finding: Finding) -> None:
        if not over:
            tell(finding)

    def run() -> None:
        for finding in body():
            from_thread.run_sync(unless_over, finding, token=token)

    try:
        await aside(run)
    finally:
        over = True
