"""The two emulators: moto's S3 server and Azurite, on free loopback ports, as `with` blocks.

    with moto_server(workdir) as s3, azurite_server(workdir) as azure:
        ... s3.url, azure.url ...
        azure.kill(); azure.start()         # an outage on the same address
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from blobmove.demo.azurite_install import azurite_directory, azurite_program, node_binary
from blobmove.demo.child import Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.demo.company import CompanySize

AZURITE_ACCOUNT: Final = "devstoreaccount1"
AZURITE_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The public key of every Azurite (its README)."""

S3_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo-secret",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
"""moto checks no signature, but a client insists on signing."""


def moto(workdir: Path, *, port: int = 0, company: CompanySize | None = None) -> Server:
    """moto's S3 server, not started yet; with `company` it comes up with the sample company's bucket."""
    port = port or free_port()
    command = [sys.executable, "-m", "blobmove.demo.moto_launcher", "--port", str(port)]
    if company is not None:
        command += ["--company", company.text]
    return Server(
        name="the S3 server (moto)",
        url=f"http://127.0.0.1:{port}",
        port=port,
        command=tuple(command),
        log=workdir / "moto.log",
        environment={**S3_CREDENTIALS, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(512 << 20)},
        patience=120.0,
    )


def azurite(workdir: Path, directory: Path | None = None, *, port: int = 0, keep: Path | None = None) -> Server:
    """Azurite's blob service, not started yet; `url` ends with the account.

    In memory unless `keep` names a folder: then the blobs survive `stop` (after `kill` the last seconds are
    lost). Raises DemoError if the pinned Azurite is not in `directory` (default: azurite_directory()).
    """
    port = port or free_port()
    program = azurite_program(directory or azurite_directory())
    persistence = ["--location", str(keep)] if keep else ["--inMemoryPersistence"]
    return Server(
        name="the Azure server (Azurite)",
        url=f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}",
        port=port,
        command=(
            str(node_binary()), str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port),
            *persistence, "--skipApiVersionCheck", "--silent", "--disableTelemetry",
        ),
        log=workdir / "azurite.log",
        ready_path=f"/{AZURITE_ACCOUNT}?comp=list",
        patience=120.0,
    )


def connection_string(azurite_url: str) -> str:
    """AZURE_STORAGE_CONNECTION_STRING for an Azurite at `azurite_url`."""
    parts = ("DefaultEndpointsProtocol=http", f"AccountName={AZURITE_ACCOUNT}", f"AccountKey={AZURITE_KEY}")
    return ";".join((*parts, f"BlobEndpoint={azurite_url}", ""))


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server up and answering; down again, with all it started, when the block ends."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def moto_server(workdir: Path, *, port: int = 0, company: CompanySize | None = None) -> Iterator[Server]:
    """moto's S3 server for the length of the block."""
    with running(moto(workdir, port=port, company=company)) as server:
        yield server


@contextmanager
def azurite_server(
    workdir: Path, directory: Path | None = None, *, port: int = 0, keep: Path | None = None
) -> Iterator[Server]:
    """Azurite for the length of the block."""
    with running(azurite(workdir, directory, port=port, keep=keep)) as server:
        yield server
