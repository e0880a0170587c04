"""The door at which metrics are read: a small HTTP server in a thread, from before the run until its end.

It knows no password and no TLS: whoever reaches its address may read. What happens to a reader is no matter of the run:
no scrape, however slow or broken, holds it or says a word on its streams.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread
from typing import Any, Final

from blobmove.core.errors import UsageError
from blobmove.core.settings import Address

READERS: Final = 8
"""Scrapes at a time; another one is hung up on."""

READER_SECONDS: Final = 5.0
"""How long a reader may be silent."""

_POLL_SECONDS: Final = 0.1

Text = Callable[[str], tuple[bytes, str]]
"""From the reader's `Accept` header to the body and its content type."""

_log = logging.getLogger(__name__)


@contextmanager
def served(text: Text, address: Address) -> Iterator[str]:
    """Serve `text` at `address` as long as the context lasts, and say where, in words for people.

    Raises UsageError where that cannot be: an address in use, not of this machine, or not allowed.
    """
    try:
        server = _Server(text, address)
    except OSError as error:
        raise UsageError(
            "E409-METRICS", f"metrics cannot be served at {address}", cause=error.strerror or str(error),
            hint="name a free port at an address of this machine: --metrics-addr 127.0.0.1:9464",
        ) from None
    thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="metrics", daemon=True)
    thread.start()
    try:
        yield _where(server, address)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _where(server: _Server, address: Address) -> str:
    """The port may have been left to the system; who listens to others is told so."""
    host, port = server.socket.getsockname()[:2]
    told = f"metrics at http://{Address(address.host, port)}/metrics"
    alone = ip_address(host.partition("%")[0]).is_loopback
    return told if alone else f"{told}, without a password: whoever reaches this address can read them"


class _Server(ThreadingHTTPServer):
    """One thread a reader; all of them end with the process at the latest."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False

    def __init__(self, text: Text, address: Address) -> None:
        self.text = text
        self._places = BoundedSemaphore(READERS)
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__(found[0][4][:2], _Reader)  # type: ignore[arg-type]  # of IPv6 there are four

    def server_bind(self) -> None:
        """Without the base's look at the name server, which may take seconds to say nothing of use."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A thread for this reader, if there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A reader that hangs up is nobody's error; what else it may be is for the log of the libraries."""
        _log.debug("a scrape broke off", exc_info=True)


class _Reader(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = READER_SECONDS
    server_version = "blobmove"
    sys_version = ""

    def do_GET(self) -> None:
        """`/metrics`, and nothing else."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "the metrics are at /metrics")
            return
        body, content_type = self.server.text(self.headers.get("Accept", ""))
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401
        """Nothing: stderr belongs to the run."""
