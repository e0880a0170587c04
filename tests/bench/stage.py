"""The stage: a simulated cloud in its own process with the objects of a case, and an empty container for each run."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from string import ascii_lowercase, digits
from typing import Final

from blobmove.stores.s3.presign import Credentials, Presigner, encode_key
from tests.bench.cases import MIB, Case
from tests.bench.rails import add_rows, make_database
from tests.cloud.control import SAS, Cloud
from tests.cloud.facts import Comparison
from tests.cloud.specs import ObjectSpec, Weather

BUCKET: Final = "bench"
CONTAINER: Final = "bench"

_SINGLE_PUT: Final = 100 * MIB
_PART: Final = 8 * MIB
_AT_ONCE: Final = 500
_KEY_LETTERS: Final = ascii_lowercase + digits


@dataclass(frozen=True, slots=True)
class Network:
    """What lies between client and cloud: TLS or not, milliseconds of latency on each request of either side."""

    tls: bool = False
    latency_ms: float = 0.0

    @property
    def title(self) -> str:
        return f"{'TLS' if self.tls else 'HTTP'}, {self.latency_ms:g} ms"


class Stage:
    """One case on one network. `work_list`: what the bare path reads, with URLs signed beforehand; `database`: Rails'
    table with a row for each object."""

    def __init__(self, case: Case, network: Network, cloud: Cloud, folder: Path) -> None:
        self.case = case
        self.network = network
        self.cloud = cloud
        self.folder = folder
        self.work_list = folder / "work.jsonl"
        self.database = folder / "rails.sqlite3"

    def clear(self) -> None:
        """An empty container, nothing counted."""
        self.cloud.container(CONTAINER)
        self.cloud.drop_container(CONTAINER)
        self.cloud.container(CONTAINER)
        self.cloud.reset_counts()

    def arrived(self) -> Comparison:
        return self.cloud.compare(BUCKET, CONTAINER)

    def environment(self) -> dict[str, str]:
        """What every tool finds in its environment: nothing of the caller's proxies, profiles or authorities."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        nobody = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return kept | nobody | self.cloud.environment()

    def load(self) -> None:
        """Put the case's objects into the bucket, and what is known of them into work list and database."""
        self.cloud.bucket(BUCKET)
        make_database(self.database)
        with self.work_list.open("w", encoding="utf-8") as lines:
            for batch in _batches(_specs(self.case)):
                stored = [(one.key, one.size, _md5(one.etag)) for one in self.cloud.put(BUCKET, *batch)]
                add_rows(self.database, (row for row in stored if row[2]))
                lines.writelines(self._lines(stored))
        if any(size > _SINGLE_PUT for size in self.case.sizes):
            told = self.cloud.objects(BUCKET, digests=True)
            add_rows(self.database, ((one.key, one.size, _md5(one.md5)) for one in told if "-" in one.etag))

    def _lines(self, stored: list[tuple[str, int, str]]) -> Iterator[str]:
        host = self.cloud.s3_url.partition("://")[2]
        presigner = Presigner(Credentials("AKIACLOUD", "cloud-secret"), "eu-central-1", host)
        for key, size, md5 in stored:
            path = f"/{BUCKET}/{encode_key(key)}"
            source = f"{self.cloud.s3_url}{path}?{presigner.query('GET', path, expires=7 * 86_400)}"
            blob = f"{self.cloud.destination(CONTAINER)}/{encode_key(key)}?{SAS}"
            yield json.dumps([source, blob, size, md5]) + "\n"


@contextmanager
def staged(case: Case, network: Network, folder: Path, cpus: frozenset[int] = frozenset()) -> Iterator[Stage]:
    """A cloud of its own, on these CPUs, with the case's objects."""
    cloud = Cloud.start(tls=network.tls)
    try:
        if cpus and cloud.pid:
            os.sched_setaffinity(cloud.pid, cpus)
        stage = Stage(case, network, cloud, folder)
        stage.load()
        for side in ("s3", "azure"):
            cloud.weather(side, Weather(latency_ms=network.latency_ms))
        yield stage
    finally:
        cloud.stop()


def _md5(etag: str) -> str:
    """The MD5 an ETag is, in base64; "" for that of a multipart upload."""
    return "" if "-" in etag else base64.b64encode(bytes.fromhex(etag)).decode()


def _specs(case: Case) -> Iterator[ObjectSpec]:
    """Objects as S3 keeps them today: with the CRC-64 it computes by itself, large ones uploaded in parts."""
    draw = Random(case.name)
    for number, size in enumerate(case.sizes):
        parts = tuple(min(_PART, size - start) for start in range(0, size, _PART)) if size > _SINGLE_PUT else ()
        yield ObjectSpec(key="".join(draw.choices(_KEY_LETTERS, k=28)), size=size, recipe=f"mod251:{number % 251}",
                         parts=parts, checksum="CRC64NVME")


def _batches(specs: Iterator[ObjectSpec]) -> Iterator[list[ObjectSpec]]:
    batch: list[ObjectSpec] = []
    for one in specs:
        batch.append(one)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
