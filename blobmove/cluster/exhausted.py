"""Whether a failure says that a worker has nothing left to work with: then the worker goes, and the run goes on."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from blobmove.cluster.payloads import Trouble
from blobmove.core.errors import UsageError
from blobmove.core.secrets import redact

_NOTHING_LEFT: Final = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_NOT_LOADED: Final = ("failed to map segment", "cannot map", "cannot allocate memory")
"""Words of the dynamic loader (glibc, elf/dl-load.c), of a library that is loaded at its first use."""
_NO_THREAD: Final = "can't start new thread"  # CPython's words; there is no class of its own for it


def exhausted(error: BaseException) -> BaseException | None:
    """The error, or the one within a group, that tells of no more memory, threads or files; else None."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := exhausted(one)) is not None), None)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NOTHING_LEFT):
        return error
    told = str(error)
    if isinstance(error, ImportError) and any(words in told.lower() for words in _NOT_LOADED):
        return error
    return error if isinstance(error, RuntimeError) and told == _NO_THREAD else None


@contextmanager
def told_when_exhausted(tell: Callable[[Trouble], None]) -> Iterator[None]:
    """Tells why this worker cannot work any more, where that is so; every other failure is raised as it is.

    Where the kernel kills for memory Dask gives the batch to others. A process that is refused memory (ulimit, a
    limit of address space or threads) lives on, and would end the whole run with an error that nobody knows.
    """
    try:
        yield
    except Exception as error:
        found = exhausted(error)
        if found is None:
            raise
        cause = redact(f"{type(found).__name__}: {found}".rstrip(": "))
        tell(Trouble.of(UsageError(
            "E500-WORKER", "a worker has no memory, threads or files left", cause=cause,
            hint="give workers more of it, or each less at once: --max-memory, --concurrency",
        )))
