"""The entry point: runs one command and turns whatever comes out of it into an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from blobmove.cli.invocation import Invocation
from blobmove.cli.verbs import porch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `blobmove ARGUMENTS` and return its exit code. Never raises and never shows a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    invocation = Invocation(words)
    _write_anything()
    try:
        return _run(words, invocation)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        return _nobody_listens()
    except (Exception, KeyboardInterrupt, click.Abort) as error:
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


def _nobody_listens() -> int:
    """Whoever read our output has gone (`blobmove status | head -1`): nothing to say, and nobody to say it to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return 128 + 13
