"""Errors become words and exit codes here, and nowhere else."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Final

import click

from blobmove.core.errors import BlobmoveError
from blobmove.core.frozen import frozen
from blobmove.core.secrets import SECRET_VARIABLES, redact

if TYPE_CHECKING:
    from blobmove.cli.invocation import Invocation

EXIT_USAGE: Final = 2
EXIT_BUG: Final = 70
EXIT_INTERRUPTED: Final = 130

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_FILE_TROUBLE: Final = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS,
                         errno.ENAMETOOLONG)


@frozen
class Failure:
    """One error as the operator sees it. `message` is empty where there is nothing to say (help was shown)."""

    exit_code: int
    code: str
    message: str
    cause: str | None = None
    hint: str | None = None


def explain(error: BaseException, invocation: Invocation) -> Failure:
    """What to tell about this error. Writes a crash file for one that nobody foresaw."""
    error = _first(error)
    match error:
        case BlobmoveError():
            return Failure(error.exit_code, error.code, error.message, error.cause, error.hint)
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return Failure(EXIT_USAGE, "E400-USAGE", "")
        case click.ClickException():
            return _usage(error)
        case KeyboardInterrupt() | click.Abort():
            return Failure(EXIT_INTERRUPTED, "E130-INTERRUPTED", "interrupted",
                           hint="the same command continues; what was recorded stays recorded")
        case OSError() if error.errno in _FULL:
            return _disk_full(str(error))
        case OSError() if error.errno in _FILE_TROUBLE and error.filename is not None:
            return Failure(EXIT_USAGE, "E400-FILE", f"cannot use {os.fspath(error.filename)}", cause=error.strerror)
        case _ if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            return _disk_full(str(error))
    from blobmove.cli.crash import write_crash_file

    path = write_crash_file(error, invocation)
    return Failure(EXIT_BUG, "E500-BUG", f"this is a bug in blobmove: {type(error).__name__}",
                   cause=f"the details are in {path}" if path else "the details could not be written anywhere",
                   hint="send that file to the authors; it holds no secrets. What was recorded stays recorded")


def _first(error: BaseException) -> BaseException:
    """The error that says most of a group: an interruption, then the gravest of ours, then the first other."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_first(inner) for inner in error.exceptions]
    for kind in (KeyboardInterrupt, BlobmoveError):
        of_kind = [leaf for leaf in leaves if isinstance(leaf, kind)]
        if of_kind:
            return of_kind[0]
    return leaves[0]


def _usage(error: click.ClickException) -> Failure:
    message = error.message.strip()
    possibilities = getattr(error, "possibilities", None) or []
    context: click.Context | None = getattr(error, "ctx", None)
    if isinstance(error, click.BadParameter) and error.param is not None:
        message = f"{_flag(error.param)}: {message}"
    hint = getattr(error, "advice", None)
    if possibilities:
        hint = "did you mean " + " or ".join(f"`{word}`" for word in possibilities) + "?"
    if hint is None and context is not None:
        hint = f"{context.command_path} --help"
    return Failure(EXIT_USAGE, "E400-USAGE", message[:1].lower() + message[1:].rstrip("."), _origin(error), hint)


def _flag(param: click.Parameter) -> str:
    return max(param.opts, key=len)


def _origin(error: click.ClickException) -> str | None:
    """Where a bad value came from, unless it was typed on the command line just now."""
    if not isinstance(error, click.BadParameter) or error.param is None or error.ctx is None:
        return None
    from blobmove.cli.origin import origin_of

    origin = origin_of(error.ctx, error.param)
    return None if origin in ("flag", "default") else f"the value comes from {origin}"


def _disk_full(cause: str) -> Failure:
    return Failure(EXIT_USAGE, "E507-DISK", "the disk is full", cause=cause,
                   hint="make room (df -h .), then type the same command; what was recorded stays recorded")


def known_secrets() -> list[str]:
    """The values of secret variables of this process, to be hidden wherever they turn up."""
    return [value for name in SECRET_VARIABLES if (value := os.environ.get(name))]


def render(failure: Failure) -> str:
    """The lines for a person."""
    lines = [f"error: {failure.message} [{failure.code}]"]
    if failure.cause:
        lines.append("  caused by: " + failure.cause.strip().replace("\n", "\n    "))
    if failure.hint:
        lines.append("hint: " + failure.hint.replace("\n", "\n      "))
    return redact("\n".join(lines), known_secrets())


def document(failure: Failure) -> dict[str, object]:
    """The line for a script."""
    hidden = known_secrets()
    texts = {"message": failure.message, "cause": failure.cause, "hint": failure.hint}
    clean = {name: None if text is None else redact(text, hidden) for name, text in texts.items()}
    return {"format": 1, "type": "error", "code": failure.code, **clean}


def tell(failure: Failure, *, as_json: bool) -> None:
    """Say it: for people on stderr, for scripts as the last line on stdout, too."""
    if not failure.message:
        return
    click.echo(render(failure), err=True)
    if as_json:
        click.echo(json.dumps(document(failure), ensure_ascii=False))
