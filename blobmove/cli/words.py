"""The types of a flag's value: from the operator's words to sizes, rates, durations and the two ends of a copy."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import click

from blobmove.core.containers import container_problem, suggest_container
from blobmove.core.model import Destination, Source
from blobmove.core.settings import Address
from blobmove.core.timetable import Timetable, parse_timetable
from blobmove.core.units import format_bytes, parse_duration, parse_size

if TYPE_CHECKING:
    from urllib.parse import SplitResult

T = TypeVar("T")

_SCHEDULER: Final = re.compile(r"(?:tcp|tls)://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_LISTEN: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


class Unfit(ValueError):
    """Raised when a word cannot be read; `hint` is something to type instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class BadWord(click.BadParameter):
    """A usage error that also knows what to type instead."""

    def __init__(self, unfit: Exception, ctx: click.Context | None, param: click.Parameter | None) -> None:
        super().__init__(str(unfit), ctx, param)
        self.advice: str | None = getattr(unfit, "hint", None)


class Word(click.ParamType[T]):
    """A click type made of one pure function, which raises ValueError with a sentence for people."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:  # noqa: ANN401
        """Read the word; numbers of a TOML file are words as well. Raises BadWord."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            raise BadWord(error, ctx, param) from None


def size_between(lowest: int, highest: int | None = None) -> Word[int]:
    """A size in bytes within limits, both included."""

    def parse(text: str) -> int:
        size = parse_size(text)
        if size < lowest:
            raise Unfit(f"{text} is too small; the least is {format_bytes(lowest)}")
        if highest is not None and size > highest:
            raise Unfit(f"{text} is too large; the most is {format_bytes(highest)}")
        return size

    return Word("size", parse)


def parse_source(text: str) -> Source:
    """`s3://BUCKET[/PREFIX]`; the prefix is kept as it is. Raises Unfit."""
    if not text.startswith("s3://"):
        raise Unfit(f"{text!r} is no address of a bucket", "write it like --source s3://BUCKET or s3://BUCKET/PREFIX")
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if _BUCKET.fullmatch(bucket) is None:
        raise Unfit(f"{bucket!r} cannot be the name of a bucket", "write it like --source s3://BUCKET/PREFIX")
    return Source(bucket, prefix)


def parse_destination(text: str) -> Destination:
    """The address of a container: account in the host name, or in the path where the host is an emulator's.

    A query is refused without being shown: it would be a SAS, and no secret is ever a flag. Raises Unfit.
    """
    if "?" in text:
        raise Unfit("the address holds a query, which looks like a SAS: no secret is ever a flag",
                    "leave it off and export AZURE_STORAGE_SAS_TOKEN instead")
    url = urlsplit(text)
    _check_host(url)
    parts = [unquote(part) for part in url.path.strip("/").split("/") if part]
    emulator = _is_emulator(url.hostname or "")
    account = f"{url.scheme}://{url.netloc.lower()}" + ("/" + parts.pop(0) if emulator and parts else "")
    if not parts:
        raise Unfit("the address names no container", f"add one: --destination {account}/CONTAINER")
    if len(parts) > 1:
        raise Unfit(f"{'/'.join(parts)!r} is more than a container: a blob is named like its key, there is no prefix",
                    f"leave the rest off: --destination {account}/{parts[0]}")
    problem = container_problem(parts[0])
    if problem is not None:
        raise Unfit(f"{parts[0]!r} cannot be the name of a container: {problem}",
                    f"a name that works: --destination {account}/{suggest_container(parts[0])}")
    return Destination(account, parts[0])


def _check_host(url: SplitResult) -> None:
    like = "write it like --destination https://ACCOUNT.blob.core.windows.net/CONTAINER"
    host = url.hostname
    if url.scheme not in ("http", "https") or not host or "@" in url.netloc:
        raise Unfit("this is no address of a container", like)
    if ".dfs." in host:
        raise Unfit(f"{host} is the Data Lake address of the account",
                    f"its blob address is {url.scheme}://{host.replace('.dfs.', '.blob.', 1)}{url.path}")
    if url.scheme == "http" and host.endswith(".core.windows.net"):
        raise Unfit("Azure is reached over https only", like)


def _is_emulator(host: str) -> bool:
    """Emulators have the account in the path: addresses by number, localhost, and names of a container net."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host
    return True


def parse_concurrency(text: str) -> int | None:
    """`auto` (None) or 1 to 4096 objects at a time. Raises Unfit."""
    if text.lower() == "auto":
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 4096:
        raise Unfit(f"{text!r} is neither auto nor a number from 1 to 4096")
    return int(text)


def parse_workers(text: str) -> int:
    """`auto` (0: one a core) or 1 to 1024 processes. Raises Unfit."""
    if text.lower() == "auto":
        return 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1024:
        raise Unfit(f"{text!r} is neither auto nor a number from 1 to 1024")
    return int(text)


def parse_scheduler(text: str) -> str:
    """The address of a Dask scheduler. Raises Unfit."""
    if _SCHEDULER.fullmatch(text) is None:
        raise Unfit(f"{text!r} is no address of a Dask scheduler", "write it like --scheduler tls://scheduler:8786")
    return text


def parse_address(text: str) -> Address:
    """`HOST:PORT` to listen at, `[::1]:PORT` for IPv6. Raises Unfit; a host left out would mean every address."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise Unfit(f"{text!r} is no HOST:PORT to listen at", "write it like --metrics-addr 127.0.0.1:9464")
    return Address(found[1] or found[2], int(found[3]))


def parse_percent(text: str) -> float:
    """A share above 0 and up to 100, with or without `%`. Raises Unfit."""
    try:
        share = float(text.strip().removesuffix("%"))
    except ValueError:
        raise Unfit(f"{text!r} is not a percentage; write it like 5 or 0.5") from None
    if not 0 < share <= 100:
        raise Unfit(f"{text} is not above 0 and up to 100")
    return share


SOURCE: Final[Word[Source]] = Word("s3 address", parse_source)
DESTINATION: Final[Word[Destination]] = Word("address", parse_destination)
DURATION: Final[Word[float]] = Word("duration", parse_duration)
TIMETABLE: Final[Word[Timetable]] = Word("rate or timetable", parse_timetable)
CONCURRENCY: Final[Word[int | None]] = Word("auto or number", parse_concurrency)
WORKERS: Final[Word[int]] = Word("auto or number", parse_workers)
SCHEDULER: Final[Word[str]] = Word("address", parse_scheduler)
ADDRESS: Final[Word[Address]] = Word("host:port", parse_address)
PERCENT: Final[Word[float]] = Word("percent", parse_percent)
