"""No secret travels: neither in a task, nor in the memory of the scheduler, nor in a log; and TLS all the way."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.cloud.control import SAS, Cloud
from tests.cloud.specs import Rule
from tests.cluster.company import BUCKET, SPREAD, Company
from tests.cluster.dask_cluster import DaskCluster
from tests.servers.certificates import make_certificates

Start = Callable[..., DaskCluster]
SIGNED = re.compile(rb"X-Amz-Signature=[0-9a-f]{16}|[?&]sig=[0-9A-Za-z%]{16}")
"""An address that somebody may use who reads it."""
SECRETS = ("cloud-secret", SAS, SAS.rpartition("sig=")[2], unquote(SAS.rpartition("sig=")[2]))
LISTENING = """
from pathlib import Path


def dask_setup(scheduler):
    import distributed.comm.tcp as tcp
    kept = Path({path!r}).open("ab")
    read, write = tcp.to_frames, tcp.from_frames

    async def to_frames(msg, *args, **more):
        frames = await read(msg, *args, **more)
        kept.write(b"".join(bytes(frame) for frame in frames))
        kept.flush()
        return frames

    async def from_frames(frames, *args, **more):
        frames = [bytes(frame) for frame in frames]
        kept.write(b"".join(frames))
        kept.flush()
        return await write(frames, *args, **more)

    tcp.to_frames, tcp.from_frames = to_frames, from_frames
"""


def test_neither_messages_nor_memory_nor_logs_hold_a_secret_of_the_run(
    company: Company, start: Start, tmp_path: Path
) -> None:
    """Small objects, blocks and turns of large ones, refusals and bytes that are read again."""
    company.cloud.put(BUCKET, *SPREAD)
    company.planned += len(SPREAD)
    wire, preload = tmp_path / "wire", tmp_path / "listen.py"
    preload.write_text(LISTENING.format(path=str(wire)))
    cluster = start(2, scheduler_words=("--preload", str(preload)))
    company.slow(20)
    company.plan()
    refuse(company.cloud)
    process = company.start("--scheduler", cluster.address)
    process.until(lambda: company.written() > company.planned // 4, "a quarter is written")
    assert cluster.scheduler is not None
    memory = memory_of(cluster.scheduler.pid)
    assert company.adds_up(process.ended(1).summary)["outcomes"]["failed"] == 2
    read = company.terminal.run("verify", "--how", "read", "--scheduler", cluster.address, "--json", expect=None)
    assert read.document["checked"] == company.planned - 2
    memory += memory_of(cluster.scheduler.pid)
    traffic = wire.read_bytes()
    assert b"small/00" in traffic, "the messages were heard"
    assert b"AccessDenied" in traffic, "refusals were among them"
    assert b"small/00" in memory, "the memory was read"
    logs = cluster.logs().encode() + (company.terminal.folder / "copy.log").read_bytes()
    assert b"distributed." in logs
    for place, content in (("messages", traffic), ("memory", memory), ("logs", logs)):
        for secret in SECRETS:
            assert secret.encode() not in content, f"a secret in the {place}"
        assert SIGNED.search(content) is None, f"a signed address in the {place}"


def refuse(cloud: Cloud) -> None:
    """One object S3 does not give, one Azure does not take, and some are asked for again."""
    cloud.rule(Rule(side="s3", do="answer", operation="GetObject", key="small/00007", status=403, code="AccessDenied"))
    cloud.rule(Rule(side="azure", do="answer", operation="PutBlob", key="small/00008", status=400, code="InvalidInput"))
    cloud.rule(Rule(side="s3", do="reset", operation="GetObject", key="small/0001*", nth=(1,), per_key=True))
    cloud.rule(Rule(side="azure", do="answer", operation="PutBlock", status=503, code="ServerBusy", nth=(3, 9)))


def memory_of(pid: int) -> bytes:
    """All that a process has in its writable memory."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_rest = line.split()
            if not rights.startswith("rw") or "[v" in line:
                continue
            first, _, last = span.partition("-")
            try:
                memory.seek(int(first, 16))
                found.append(memory.read(int(last, 16) - int(first, 16)))
            except (OSError, OverflowError):
                continue
    return b"\n".join(found)


def test_a_cluster_with_tls_is_joined_with_the_keys_that_dask_is_told(
    company: Company, start: Start, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    made = make_certificates(keys)
    words = ("--tls-ca-file", str(made.authority), "--tls-cert", str(made.certificate), "--tls-key", str(made.key))
    cluster = start(2, security=words, protocol="tls")
    assert cluster.address.startswith("tls://")
    company.plan()
    refused = company.terminal.run(*company.copy_words("--scheduler", cluster.address), expect=2)
    assert "E000-SCHEDULER" in refused.err
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    company.terminal.forks = None  # Dask reads its variables when it is loaded
    company.terminal.environment |= {
        f"{tls}CA_FILE": str(made.authority), f"{tls}CLIENT__CERT": str(made.certificate),
        f"{tls}CLIENT__KEY": str(made.key),
    }
    assert company.copy("--scheduler", cluster.address)["outcomes"]["copied"] == company.planned
    company.all_is_there()


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_sent_to_a_worker_when_a_run_begins_holds_none(
    secret: str, cloud_environment: Any, company: Company  # noqa: ANN401
) -> None:
    company.plan()
    sent = pickle.dumps(terms_of(company))
    assert b"cloud-secret" not in sent
    assert secret.encode() not in sent
    assert b"src" in sent


def terms_of(company: Company) -> object:
    """The terms of a run as `copy` would send them."""
    from blobmove.checkpoint.reader import CheckpointReader
    from blobmove.cli.clustering import open_doors
    from blobmove.cluster.joining import program
    from blobmove.cluster.payloads import Terms
    from blobmove.core.headers import MetadataNames
    from blobmove.core.settings import IfExists
    from blobmove.engine.bench import MoveOptions

    with CheckpointReader(company.checkpoint) as reader:
        setup = reader.setup()
    options = MoveOptions(1, 1, IfExists.COMPARE, None, MetadataNames.RENAME)
    return Terms(setup.plan, setup, options, 1, program(), open_doors)
