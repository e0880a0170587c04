"""One side of the cloud: a service behind its weather and its faults, with everything counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from tests.cloud.faults import Fired, RuleBook, first_bytes, with_bit_flipped
from tests.cloud.skies import Sky
from tests.cloud.specs import SideName, Weather
from tests.cloud.wire import Connection, Reply, Request, body_size, render_head

RESERVED: Final = "/_cloud/"
_A_MOMENT: Final = 0.005  # so that what was written is on its way before the connection is reset


class Service(Protocol):
    """What a side must be able to do. `handle` answers for itself, errors included."""

    def identify(self, request: Request) -> None: ...

    def handle(self, request: Request) -> Reply: ...

    def failure(self, request: Request, status: int, code: str, message: str = "") -> Reply: ...

    def busy(self, request: Request) -> Reply: ...

    def expired(self, request: Request) -> Reply: ...


class SourceLost(Exception):
    """Raised to a server-side reader whose connection to the source broke."""


class Side:
    """A door for connections (wire.Door)."""

    def __init__(self, name: SideName, service: Service, control: Callable[[Request], Reply]) -> None:
        self.name = name
        self._service = service
        self._control = control
        self.connections: set[Connection] = set()
        self.replace: Callable[[Fired, Request], None] = lambda fired, request: None
        self.in_flight = 0
        self._age = 0
        self._under_way: set[Connection] = set()
        self.clear()

    def clear(self) -> None:
        """As at the start. Requests still under way belong to what is forgotten and are dropped at once."""
        self._age += 1
        for channel in self._under_way:
            channel.reset()
        self._under_way.clear()
        self.in_flight = 0
        self.book = RuleBook()
        self.sky = Sky(Weather())
        self.reset_counts()

    def reset_counts(self) -> None:
        self.requests: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.bytes_in = self.bytes_out = 0
        self.most_in_flight = 0
        self.most_connections = len(self.connections)
        self.sky.refused = 0

    def arrived(self, request: Request) -> Fired | None:
        if request.path.startswith(RESERVED):
            request.operation = RESERVED
            return None
        self._service.identify(request)
        self.requests[request.operation] += 1
        return self.book.match(request) if self.book.live else None

    def refuses_to_read(self, plan: object | None) -> bool:
        return isinstance(plan, Fired) and plan.rule.do == "reset" and plan.rule.when == "before_read"

    def at_once(self, request: Request, plan: object | None) -> Reply | None:
        if request.operation == RESERVED:
            return self._control(request)
        if plan is not None or not self.sky.calm:
            return None
        if self.sky.weather.limit is not None and self.sky.over_limit(time.monotonic()):
            return self._counted(request, self._busy(request))
        return self._counted(request, self._service.handle(request))

    async def in_time(self, request: Request, plan: object | None, channel: Connection) -> None:
        fired, age = plan if isinstance(plan, Fired) else None, self._age
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._under_way.add(channel)
        try:
            await self._in_time(request, fired, channel)
        finally:
            if age == self._age:  # else it was taken off when all was cleared
                self.in_flight -= 1
                self._under_way.discard(channel)

    async def _in_time(self, request: Request, fired: Fired | None, channel: Connection) -> None:
        deed, age, half = fired.rule.do if fired else "", self._age, self.sky.latency() / 2
        late = fired.rule.seconds if fired and deed in ("hang", "delay") else 0.0
        await _sleep(half + late)
        if age != self._age:
            channel.reset()
            return
        if fired and (deed == "hang" or (deed == "reset" and fired.rule.when == "before_answer")):
            channel.reset()
            return
        reply = self._counted(request, self._reply(request, fired))
        await _sleep(half + self.sky.passage(max(len(request.body), reply.length), time.monotonic()))
        if deed == "lost":
            channel.reset()
            return
        if fired and deed in ("cut", "drip", "reset") and request.method != "HEAD":
            await _send_badly(channel, request, reply, fired)
            return
        await channel.send(reply, request.method)

    def fetch(self, request: Request) -> Reply:
        """The answer to a reader inside the cloud (copy from URL): counted, throttled and faulted like any other.

        Raises SourceLost for what a reader sees as a broken connection.
        """
        fired = self.arrived(request)
        if fired and fired.rule.do in ("reset", "lost", "hang", "cut"):
            raise SourceLost(fired.rule.do)
        return self._counted(request, self._reply(request, fired))

    def _reply(self, request: Request, fired: Fired | None) -> Reply:
        if self.sky.over_limit(time.monotonic()):
            return self._busy(request)
        if fired is None:
            return self._service.handle(request)
        rule = fired.rule
        if rule.do in ("overwrite", "remove"):
            self.replace(fired, request)
        if rule.do == "answer":
            return self._refusal(request, fired)
        if rule.do == "expired":
            return self._service.expired(request)
        inwards = rule.do == "flip" and (rule.leg == "in" or (rule.leg is None and bool(request.body)))
        if inwards and request.body:
            request.body = self._flipped(request, fired, request.body).read(0, len(request.body))
        reply = self._service.handle(request)
        if rule.do == "flip" and not inwards and body_size(reply.body):
            reply.body = self._flipped(request, fired, reply.body)
        if rule.do == "stale_etag" and "ETag" in reply.headers:
            reply.headers["ETag"] = f'"{rule.etag}"'
        return reply

    def _flipped(self, request: Request, fired: Fired, body: Any) -> Any:  # noqa: ANN401 - bytes or Content
        bit = fired.bit_of(body_size(body))
        fired.live.note(request, f"bit {bit}")
        return with_bit_flipped(body, bit)

    def _refusal(self, request: Request, fired: Fired) -> Reply:
        rule = fired.rule
        reply = self._service.failure(request, rule.status, rule.code, rule.message)
        reply.headers.update(rule.headers)
        if rule.retry_after is not None:
            reply.headers["Retry-After"] = str(rule.retry_after)
        return reply

    def _busy(self, request: Request) -> Reply:
        reply = self._service.busy(request)
        if self.sky.weather.retry_after is not None:
            reply.headers["Retry-After"] = str(self.sky.weather.retry_after)
        return reply

    def _counted(self, request: Request, reply: Reply) -> Reply:
        self.answers[request.operation, reply.status] += 1
        self.bytes_in += len(request.body)
        if request.method != "HEAD":
            self.bytes_out += reply.length
        return reply

    def report(self) -> dict[str, Any]:
        """All counts; `answers` as {operation: {status: times}}."""
        by_operation: dict[str, dict[str, int]] = {}
        for (operation, status), times in self.answers.items():
            by_operation.setdefault(operation, {})[str(status)] = times
        return {
            "requests": dict(self.requests), "answers": by_operation, "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out, "connections": len(self.connections),
            "most_connections": self.most_connections, "most_in_flight": self.most_in_flight,
            "throttled": self.sky.refused,
        }


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _send_badly(channel: Connection, request: Request, reply: Reply, fired: Fired) -> None:
    rule, size = fired.rule, body_size(reply.body)
    if rule.do == "drip":
        await _drip(channel, reply, rule.chunk, rule.seconds)
        return
    if rule.do == "reset" and rule.when == "after_body":
        await channel.send(reply, request.method)
    else:
        end = fired.end_of(size)
        if rule.lie:
            reply.length = end
        channel.write(render_head(reply) + first_bytes(reply.body, end))
    await channel.drain()
    if rule.lie:
        return
    await asyncio.sleep(_A_MOMENT)
    if rule.do == "reset":
        channel.reset()
    else:
        channel.close()


async def _drip(channel: Connection, reply: Reply, chunk: int, seconds: float) -> None:
    channel.write(render_head(reply))
    offset, size = 0, body_size(reply.body)
    while offset < size:
        await asyncio.sleep(seconds)
        take = min(chunk, size - offset)
        body = reply.body
        channel.write(body[offset : offset + take] if isinstance(body, bytes) else body.read(offset, take))
        await channel.drain()
        offset += take
