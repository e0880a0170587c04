"""One self-contained HTML page from a template: everything escaped, nothing loaded from elsewhere, written whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blobmove import __version__
from blobmove.core.model import State
from blobmove.core.secrets import redact
from blobmove.core.units import format_bytes, format_count, format_duration
from blobmove.views.layout import printable
from blobmove.views.whole_file import complete_or_nothing

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

KEY_LENGTH: Final = 200
_COMMAND: Final = re.compile(r"`([^`]+)`")


def now() -> str:
    """This moment, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def render(template: str, context: Mapping[str, Any]) -> str:
    """The page as text. Every value is escaped and goes through the last net against secrets."""
    shared = {"version": __version__, "states": [str(state) for state in State]}
    return _environment().get_template(template).render(**shared, **context)


def write_page(path: Path, html: str) -> None:
    """Write it, whole or not at all; what was there is replaced. Raises OSError."""
    with complete_or_nothing(path) as draft:
        draft.write_text(html, encoding="utf-8")


def check_place(path: Path) -> None:
    """Raises OSError where no page can be written: known before an hour of work, not after it."""
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder", str(path))
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(path.parent))


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
    """Our own sentence, escaped, what stands in backquotes as code."""
    from markupsafe import Markup, escape

    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped right here


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
