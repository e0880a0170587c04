"""The entry point: runs one command and turns whatever comes out of it into an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO

import click

from blobmove.cli.invocation import Invocation
from blobmove.cli.verbs import porch

EXIT_PIPE: Final = 128 + 13
"""What a shell reports for a program ended by SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `blobmove ARGUMENTS` and return its exit code. Never raises and never shows a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    invocation = Invocation(words)
    _write_anything()
    try:
        return _run(words, invocation)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (Exception, KeyboardInterrupt, click.Abort) as error:
        if isinstance(error, BrokenPipeError) and _nobody_listens():
            return EXIT_PIPE
        return _failed(error, invocation)


def _failed(error: BaseException, invocation: Invocation) -> int:
    from blobmove.cli.failures import explain, tell

    failure = explain(error, invocation)
    try:
        tell(failure, as_json=invocation.json)
    except BrokenPipeError:
        _nobody_listens()
    return failure.exit_code


def _run(words: list[str], invocation: Invocation) -> int:
    with porch.make_context("blobmove", words, obj=invocation) as context:
        code = porch.invoke(context)
        sys.stdout.flush()
        return int(code or 0)


def _write_anything() -> None:
    """A key that the terminal's encoding cannot show is escaped instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nobody_listens() -> bool:
    """Whether the reader of our output has gone (`blobmove status | head -1`); then the rest of it is dropped."""
    gone = [stream for stream in (sys.stdout, sys.stderr) if _is_broken(stream)]
    for stream in gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(gone)


def _is_broken(stream: TextIO) -> bool:
    """Asks the system: a flush would not tell where Python runs unbuffered and has thrown the rest away."""
    import select

    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
    except (AttributeError, OSError):  # no poll on Windows, no file behind the stream
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _descriptor, event in poll.poll(0))
