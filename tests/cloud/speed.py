"""How many requests the simulated cloud answers in a second of its own CPU: `python -m tests.cloud.speed`.

The requests are those of blobmove, written out beforehand; bodies are random bytes, no two alike, so that every MD5 is
really computed. They go out over connections that stay open: one request to each connection, then every answer is read
to its end; nothing is pipelined. Judged is the CPU time (user and system) of the cloud's process between two requests
to its control API: this process does not count, nor do others, as far as they leave the caches alone. The rounds go
through all cases in turn; given are the median and the best one, which is what the cloud can do when it is left alone.
The goal is 10,000 for GetObject, PutBlob and both in turn; figures: docs/explanation/performance.md.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import platform
import socket
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final
from urllib.parse import quote

from awscrt import checksums

from tests.cloud.control import ACCOUNT, SAS, Cloud
from tests.cloud.specs import SeriesSpec, SideName

_SIZE: Final = 4096
_OBJECTS: Final = 2000
_SIGNED: Final = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIACLOUD%2F20990101%2Feu-central-1%2Fs3%2Faws4_request"
    f"&X-Amz-Date=20990101T000000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
)
_WRITING: Final = {
    "x-ms-blob-type": "BlockBlob", "if-none-match": "*", "x-ms-blob-content-type": "image/jpeg",
    "x-ms-version": "2025-11-05",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: its pieces go out one by one, and the answer must have this status."""

    side: SideName
    pieces: tuple[bytes, ...]
    status: int


@dataclass(frozen=True, slots=True)
class Rate:
    """`requests` answered in `cpu_seconds` of the cloud's process."""

    requests: int
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.requests / self.cpu_seconds


class Load:
    """Connections to both sides of a cloud, each with at most one request under way."""

    def __init__(self, cloud: Cloud, connections: int) -> None:
        self._cloud = cloud
        self._plugs: dict[SideName, list[socket.socket]] = {
            "s3": [_plug(cloud.s3_port) for _ in range(connections)],
            "azure": [_plug(cloud.azure_port) for _ in range(connections)],
        }
        self._connections = connections

    def close(self) -> None:
        for plug in (*self._plugs["s3"], *self._plugs["azure"]):
            plug.close()

    def measure(self, requests: Sequence[Sent]) -> Rate:
        """Send them all. Raises AssertionError for an answer of another status."""
        self._cloud.reset_counts()
        for first in range(0, len(requests), self._connections):
            self._wave(requests[first : first + self._connections])
        return Rate(len(requests), self._cloud.counts().cpu_seconds_counted)

    def _wave(self, requests: Sequence[Sent]) -> None:
        """One request on each connection: the first pieces of all, the second pieces of all, then all answers."""
        plugs = [self._plugs[one.side][number] for number, one in enumerate(requests)]
        for piece in range(max(len(one.pieces) for one in requests)):
            for plug, one in zip(plugs, requests, strict=True):
                if piece < len(one.pieces):
                    plug.sendall(one.pieces[piece])
        for plug, one in zip(plugs, requests, strict=True):
            _expect(plug, one.status)


def _plug(port: int) -> socket.socket:
    plug = socket.create_connection(("127.0.0.1", port), timeout=60)
    plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plug


def _expect(plug: socket.socket, status: int) -> None:
    """Read one answer to its end."""
    answer = plug.recv(512 * 1024)
    head, blank, body = answer.partition(b"\r\n\r\n")
    assert blank, head
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    left = int(head.rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0]) - len(body)
    while left > 0:
        left -= len(plug.recv(left))


class Requests:
    """Writes out the requests of each case. No name comes twice: every Put Blob makes a new blob."""

    def __init__(self, cloud: Cloud) -> None:
        """Empties the cloud and puts the objects there."""
        cloud.reset()
        cloud.bucket("src")
        cloud.container("dst")
        cloud.put_series("src", SeriesSpec(pattern="{n:028d}", count=_OBJECTS, recipe="mod251"))
        self._etags = [f'"{one.etag}"' for one in cloud.objects("src")]
        self._ports: dict[SideName, int] = {"s3": cloud.s3_port, "azure": cloud.azure_port}
        self._draw = Random(7)
        self.cases: dict[str, Callable[[int], Sent]] = {
            "GetObject": self._get,
            "PutBlob": self._put,
            "PutBlob, body apart": self._put_apart,
            "GetObject, PutBlob": lambda number: (self._put if number % 2 else self._get)(number // 2),
            "PutBlobFromURL": self._pull,
            "PutBlock": self._block,
            "ListObjectsV2": self._list,
        }

    def _get(self, number: int) -> Sent:
        return self._request("s3", "GET", _source(number), 200, {"if-match": self._etags[number % _OBJECTS]})

    def _put(self, number: int) -> Sent:
        return _at_once(self._put_apart(number))

    def _put_apart(self, number: int) -> Sent:
        body = self._draw.randbytes(_SIZE)
        return self._write(_WRITING | {"content-md5": _b64(hashlib.md5(body).digest())}, body)

    def _pull(self, number: int) -> Sent:
        return self._write(_WRITING | {
            "x-ms-copy-source": f"http://127.0.0.1:{self._ports['s3']}{_source(number)}",
            "x-ms-source-if-match": self._etags[number % _OBJECTS]})

    def _write(self, headers: dict[str, str], body: bytes = b"") -> Sent:
        name = f"{self._draw.getrandbits(112):028x}"
        return self._request("azure", "PUT", f"/{ACCOUNT}/dst/{name}?{SAS}", 201, headers, body)

    def _block(self, number: int) -> Sent:
        """The same thousand blocks again and again: nothing is committed here."""
        body, block = self._draw.randbytes(_SIZE), quote(_b64(b"%08d" % (number % 1000)), safe="")
        told = _b64(checksums.crc64nvme(body).to_bytes(8, "little"))
        target = f"/{ACCOUNT}/dst/large?comp=block&blockid={block}&{SAS}"
        return _at_once(self._request("azure", "PUT", target, 201, {"x-ms-content-crc64": told}, body))

    def _list(self, number: int) -> Sent:
        after = f"{number * 50 % (_OBJECTS - 100):028d}"
        target = f"/src?list-type=2&max-keys=100&start-after={after}&{_SIGNED}"
        return self._request("s3", "GET", target, 200, {})

    def _request(
        self, side: SideName, method: str, target: str, status: int, headers: dict[str, str], body: bytes = b""
    ) -> Sent:
        told = {"host": f"127.0.0.1:{self._ports[side]}", "user-agent": "blobmove", "accept": "*/*", **headers}
        if method == "PUT":
            told["content-length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()
        return Sent(side, (head, body) if body else (head,), status)


def _source(number: int) -> str:
    return f"/src/{number % _OBJECTS:028d}?{_SIGNED}"


def _at_once(sent: Sent) -> Sent:
    return Sent(sent.side, (b"".join(sent.pieces),), sent.status)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def measured(
    cloud: Cloud, *, requests: int, rounds: int, connections: int, cases: Sequence[str] = ()
) -> dict[str, list[Rate]]:
    """The rates of each case (all, unless some are named), round by round; `requests` in each."""
    found: dict[str, list[Rate]] = {}
    for _ in range(rounds):
        made = Requests(cloud)
        load = Load(cloud, connections)
        for name in cases or made.cases:
            case = made.cases[name]
            load.measure([case(number) for number in range(connections)])  # the first ones of a kind cost more
            sent = [case(number) for number in range(requests)]
            found.setdefault(name, []).append(load.measure(sent))
        load.close()
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.speed", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="in each case and round (default: 10000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32, help="to each side")
    parser.add_argument("--case", action="append", default=[], help="only this one; may be given several times")
    options = parser.parse_args()
    cloud = Cloud.start()
    try:
        found = measured(cloud, requests=options.requests, rounds=options.rounds, connections=options.connections,
                         cases=options.case)
    finally:
        cloud.stop()
    lines = [f"{'requests a second of CPU':26}{'median':>10}{'best':>10}   Python {platform.python_version()}"]
    for name, rates in found.items():
        each = [rate.per_second for rate in rates]
        lines.append(f"{name:26}{statistics.median(each):10,.0f}{max(each):10,.0f}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
