"""The cloud over TLS: both ports, with a certificate that only who knows its authority believes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.stores.http import HttpClient
from tests.cloud.control import SAS, Cloud
from tests.cloud.specs import ObjectSpec


@pytest.fixture(scope="module")
def secure() -> Iterator[Cloud]:
    cloud = Cloud.start(tls=True)
    try:
        yield cloud
    finally:
        cloud.stop()


async def test_an_object_is_read_and_written_over_tls(secure: Cloud) -> None:
    secure.bucket("src")
    secure.container("dst")
    secure.put("src", ObjectSpec(key="large", size=3_000_000, recipe="mod251:5"))
    http = HttpClient(Side.SOURCE, ca_file=secure.ca_file)
    try:
        read = await http.send("GET", f"{secure.s3_url}/src/large", expect_bytes=3_000_000)
        written = await http.send("PUT", f"{secure.destination('dst')}/large?{SAS}",
                                  ["x-ms-blob-type: BlockBlob"], read.body)
    finally:
        await http.close()

    assert (read.status, written.status) == (200, 201)
    assert secure.compare("src", "dst").identical == 1


async def test_azure_pulls_from_s3_over_tls(secure: Cloud) -> None:
    secure.reset()
    secure.bucket("src")
    secure.container("dst")
    secure.put("src", ObjectSpec(key="k", size=100_000))
    http = HttpClient(Side.DESTINATION, ca_file=secure.ca_file)
    try:
        answer = await http.send("PUT", f"{secure.destination('dst')}/k?{SAS}", [
            "x-ms-blob-type: BlockBlob", f"x-ms-copy-source: {secure.s3_url}/src/k"])
    finally:
        await http.close()

    assert answer.status == 201
    assert secure.compare("src", "dst").identical == 1


async def test_who_does_not_know_the_authority_does_not_connect(secure: Cloud) -> None:
    http = HttpClient(Side.SOURCE)
    try:
        with pytest.raises(StoreError) as caught:
            await http.send("GET", f"{secure.s3_url}/src/k")
    finally:
        await http.close()

    assert caught.value.kind is Kind.UNREACHABLE


def test_plain_http_is_not_answered(secure: Cloud) -> None:
    with socket.create_connection(("127.0.0.1", secure.s3_port), timeout=10) as plug:
        plug.sendall(b"GET /src/k HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in plug.recv(100)


def test_the_environment_names_the_authority_to_every_tool(secure: Cloud) -> None:
    told = secure.environment()

    assert told["AWS_CA_BUNDLE"] == told["SSL_CERT_FILE"] == secure.ca_file
    ssl.create_default_context(cafile=told["SSL_CERT_FILE"])


def test_the_certificates_go_when_the_cloud_goes() -> None:
    cloud = Cloud.start(tls=True)
    assert cloud.ca_file is not None
    file = Path(cloud.ca_file)
    assert file.exists()

    cloud.stop()

    assert not file.exists()
