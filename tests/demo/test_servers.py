"""The emulators start, answer, can fail and come back on the same address, and never outlive who started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from blobmove.demo.azurite_install import (
    AZURITE_VERSION,
    azurite_program,
    ensure_azurite,
    node_binary,
    npm_environment,
)
from blobmove.demo.child import Server, free_port
from blobmove.demo.clients import container_client, s3_client
from blobmove.demo.problems import DemoError
from blobmove.demo.servers import azurite, moto_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers


def echo_server(workdir: Path, port: int) -> Server:
    """A server that is quick to start: Python's own."""
    command = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return Server("the test server", f"http://127.0.0.1:{port}", port, command, workdir / "echo.log")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_gone(port: int) -> bool:
    deadline = time.monotonic() + 10
    while listens(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not listens(port)


def test_a_server_killed_comes_back_on_the_same_address(tmp_path: Path) -> None:
    server = echo_server(tmp_path, free_port())
    server.start()
    first = server.pid
    server.kill()
    assert not server.alive
    assert not listens(server.port)
    server.start()
    try:
        assert urllib.request.urlopen(server.url).status == 200  # noqa: S310 - loopback
        assert server.pid != first
    finally:
        server.stop()
    assert not listens(server.port)


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    server = echo_server(tmp_path, free_port())
    server.start()
    server.stop()
    server.stop()
    assert server.pid is None


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(DemoError, match=f"cannot listen on 127.0.0.1:{port}"):
            echo_server(tmp_path, port).start()


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "raise SystemExit('the disk is made of cheese')")
    server = Server("the broken server", "", free_port(), command, tmp_path / "broken.log")
    with pytest.raises(DemoError, match="ended while starting: the disk is made of cheese") as caught:
        server.start()
    assert str(tmp_path / "broken.log") in caught.value.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent died")
def test_a_server_dies_with_a_killed_parent(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import sys, time, pathlib\n"
        "from tests.demo.test_servers import echo_server\n"
        f"echo_server(pathlib.Path({str(tmp_path)!r}), {port}).start()\n"
        "print('up', flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=os.getcwd())
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    assert listens(port)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert wait_until_gone(port)


def test_moto_starts_empty_and_keeps_what_is_put(tmp_path: Path) -> None:
    with moto_server(tmp_path) as server:
        s3 = s3_client(server.url)
        assert s3.list_buckets()["Buckets"] == []
        s3.create_bucket(Bucket="acme", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket="acme", Key="ä+ %/k", Body=b"x")
        assert s3.get_object(Bucket="acme", Key="ä+ %/k")["Body"].read() == b"x"
    assert not listens(server.port)


def test_azurite_on_disk_remembers_a_restart(tmp_path: Path, azurite_home: Path) -> None:
    server = azurite(tmp_path, azurite_home, keep=tmp_path / "blobs")
    server.start()
    try:
        container = container_client(server.url, "kept")
        container.create_container()
        container.upload_blob("a", b"1")
        server.stop()
        server.start()
        assert [blob.name for blob in container_client(server.url, "kept").list_blobs()] == ["a"]
    finally:
        server.stop()
    assert not listens(server.port)


def test_another_version_of_azurite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="no Azurite is in"):
        azurite_program(tmp_path)
    package = tmp_path / "node_modules" / "azurite"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"version": "3.35.0"}')
    (tmp_path / "node_modules" / ".package-lock.json").write_text("{}")
    with pytest.raises(DemoError, match=rf"Azurite 3\.35\.0 is in .*, {AZURITE_VERSION} is needed"):
        azurite_program(tmp_path)


def test_an_installed_azurite_is_not_installed_again(azurite_home: Path) -> None:
    assert ensure_azurite(azurite_home) is False


def test_npm_trusts_what_the_system_trusts_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/mine.pem")
    environment = npm_environment(node_binary())
    assert environment["NODE_EXTRA_CA_CERTS"] == "/mine.pem"
    assert environment["PATH"].split(os.pathsep)[0] == str(node_binary().parent)
