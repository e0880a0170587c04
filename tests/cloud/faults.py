"""Which request a fault rule hits: drawn from seed, key and attempt, never from the order of arrival."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final

from tests.cloud.content import Content, Raw
from tests.cloud.specs import Rule
from tests.cloud.wire import Request, body_size

_LOG_LIMIT: Final = 50_000


@dataclass(slots=True)
class LiveRule:
    """A rule with what it has done so far."""

    id: int
    rule: Rule
    matched: int = 0
    fired: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    log: list[tuple[str, str, str]] = field(default_factory=list)

    def fires(self, request: Request) -> Fired | None:
        """The deed, if this request is one the rule wants."""
        rule = self.rule
        if not _matches(rule.operation, request.operation) or not _matches(rule.key, request.key):
            return None
        if not _matches(rule.span, request.headers.get("range", "")):
            return None
        self.matched += 1
        self.by_key[request.key] += 1
        attempt = self.by_key[request.key]
        if rule.nth and (attempt if rule.per_key else self.matched) not in rule.nth:
            return None
        if rule.count is not None and self.fired >= rule.count:
            return None
        draw = Random(f"{rule.seed}/{self.id}/{request.operation}/{request.key}/{attempt}")
        if rule.probability < 1 and draw.random() >= rule.probability:
            return None
        self.fired += 1
        self.note(request, rule.do)
        return Fired(self, rule, draw)

    def note(self, request: Request, what: str) -> None:
        if len(self.log) < _LOG_LIMIT:
            self.log.append((request.operation, request.key, what))

    def report(self) -> dict[str, Any]:
        return {"id": self.id, "matched": self.matched, "fired": self.fired, "log": self.log}


@dataclass(slots=True)
class Fired:
    """One rule on one request; `draw` gives the random places of its deed."""

    live: LiveRule
    rule: Rule
    draw: Random

    def bit_of(self, size: int) -> int:
        """The bit to flip in a body of `size` bytes (at least one)."""
        bit = self.rule.bit if self.rule.bit is not None else self.draw.randrange(size * 8)
        return bit % (size * 8)

    def end_of(self, size: int) -> int:
        """After how many bytes of a body of `size` it breaks off: never all of them."""
        at = self.rule.at if self.rule.at is not None else size // 2
        return max(0, min(at, size - 1))


class RuleBook:
    """The rules of one side, asked in the order they were made."""

    def __init__(self) -> None:
        self.live: list[LiveRule] = []

    def add(self, number: int, rule: Rule) -> None:
        self.live.append(LiveRule(number, rule))

    def remove(self, number: int) -> None:
        self.live = [one for one in self.live if one.id != number]

    def match(self, request: Request) -> Fired | None:
        for one in self.live:
            fired = one.fires(request)
            if fired is not None:
                return fired
        return None


def _matches(pattern: str, text: str) -> bool:
    return pattern in ("*", text) or fnmatchcase(text, pattern)


def with_bit_flipped(body: bytes | Content, bit: int) -> Content:
    """The body with one bit changed, its length as before."""
    if isinstance(body, bytes):
        return Flipped(Raw(body), bit)
    return Flipped(body, bit)


@dataclass(frozen=True, slots=True)
class Flipped:
    """A content with one wrong bit."""

    content: Content
    bit: int

    @property
    def size(self) -> int:
        return self.content.size

    def read(self, offset: int, length: int) -> bytes:
        data = bytearray(self.content.read(offset, length))
        place = self.bit // 8 - offset
        if 0 <= place < len(data):
            data[place] ^= 1 << (self.bit % 8)
        return bytes(data)


def first_bytes(body: bytes | Content, length: int) -> bytes:
    """The beginning of a body."""
    length = min(length, body_size(body))
    return body[:length] if isinstance(body, bytes) else body.read(0, length)
