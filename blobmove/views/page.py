"""One self-contained HTML page from a template: everything escaped, nothing loaded from elsewhere, written whole."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blobmove import __version__
from blobmove.core.errors import UsageError
from blobmove.core.model import State
from blobmove.core.secrets import redact
from blobmove.core.units import format_bytes, format_count, format_duration
from blobmove.views.layout import printable
from blobmove.views.whole_file import check_writable, complete_or_nothing

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

KEY_LENGTH: Final = 200
_COMMAND: Final = re.compile(r"`([^`]+)`")
_MARK: Final = re.compile(rb'<meta name="blobmove-page" content="([a-z]+)">')


def now() -> str:
    """This moment, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def render(template: str, context: Mapping[str, Any]) -> str:
    """The page as text. Every value is escaped and goes through the last net against secrets."""
    shared = {"version": __version__, "states": [str(state) for state in State],
              "kind": template.removesuffix(".html")}
    return _environment().get_template(template).render(**shared, **context)


def write_page(path: Path, html: str) -> None:
    """Write it, whole or not at all; what was there is replaced. Raises OSError."""
    with complete_or_nothing(path) as draft:
        draft.write_text(html, encoding="utf-8")


def check_place(path: Path, kind: str) -> None:
    """Known before an hour of work, not after it: whether a page of this kind (`plan`, `report`) may be written here.

    Raises OSError where none can be, and UsageError (E409-PAGE) where it would replace another page or file: both
    commands have `--html`, and one line of blobmove.toml may name one place for both.
    """
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder", str(path))
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(path.parent))
    if not _is_free(path) and (found := _kind_of(path)) != kind:
        raise UsageError("E409-PAGE", f"{path} is there and is not a page of `{kind}`: it is not replaced",
                         cause=f"it is a page of `{found}`" if found else "it is no page of blobmove",
                         hint=f"--html {shlex.quote(str(path.with_name(f'{kind}.html')))}, or another name")
    check_writable(path)


def _is_free(path: Path) -> bool:
    """Nothing is there, or a file of no bytes, which somebody has made as the place of this one."""
    return not path.exists() or (path.is_file() and not path.stat().st_size)


def _kind_of(path: Path) -> str | None:
    """Which page lies here, by the mark in its head; None for what is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        found = _MARK.search(file.read(2000))
    return found[1].decode() if found else None


def _environment() -> Environment:
    """Undefined names are errors: a page with a hole in it would go unnoticed for a year."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("blobmove.views", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_shown,
    )
    environment.filters |= {
        "bytes": format_bytes, "count": format_count, "duration": format_duration, "key": key, "lines": lines,
        "prose": prose, "dollars": dollars, "ranked": ranked,
    }
    return environment


def _shown(value: object) -> object:
    """What an expression of a template becomes before it is escaped."""
    if hasattr(value, "__html__"):
        return value
    return redact(printable(value, 100_000)) if isinstance(value, str) else value


def key(text: str) -> str:
    """A key or another foreign text on one line: what cannot be seen is escaped, the middle of a long one cut."""
    return printable(text, KEY_LENGTH)


def prose(text: str) -> Markup:
    """A sentence, escaped, what stands in backquotes as code. It may hold foreign words: the names of services."""
    from markupsafe import Markup, escape

    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(redact(printable(text, 100_000))))))  # noqa: S704 - escaped right here


def lines(text: str) -> Markup:
    """Our own lines, each escaped as any other text; only the breaks between them stay."""
    from markupsafe import Markup, escape

    return Markup("\n").join(escape(redact(printable(line, 100_000))) for line in text.split("\n"))


def dollars(amount: float) -> str:
    """`$1,234.50`, as on the terminal."""
    return f"${amount:,.2f}"


def ranked(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """Largest first, without what is 0."""
    return sorted((item for item in counts.items() if item[1]), key=lambda item: (-item[1], item[0]))
