"""The two sides in one process, with one clock: S3 that Azure can pull from, and what the control API acts on."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

from tests.cloud.azure_service import AzureService
from tests.cloud.content import digest, same
from tests.cloud.faults import Fired
from tests.cloud.s3_auth import S3Auth
from tests.cloud.s3_service import S3Service
from tests.cloud.s3_state import Bucket, Version
from tests.cloud.side import Side
from tests.cloud.specs import ObjectSpec, SeriesSpec, Settings
from tests.cloud.wire import Reply, Request


class World:
    """Everything the cloud holds. `control` answers requests to the reserved path on either port."""

    def __init__(self, control: Callable[[Request], Reply]) -> None:
        self.settings = Settings()
        self.s3 = S3Service(self.now)
        self.azure = AzureService(self.now, self._fetch)
        self.s3_side = Side("s3", self.s3, control)
        self.azure_side = Side("azure", self.azure, control)
        self.s3_side.replace = self._replace
        self.s3_port = 0
        self.azure_port = 0

    def now(self) -> float:
        """The cloud's clock, seconds since 1970."""
        return time.time() + self.settings.clock_offset

    def clear(self) -> None:
        """As just started; open connections stay."""
        self.set(Settings())
        self.s3.clear()
        self.azure.clear()
        self.s3_side.clear()
        self.azure_side.clear()

    def set(self, settings: Settings) -> None:
        self.settings = settings
        self.s3.auth = S3Auth(settings)
        self.azure.settings = settings
        self.azure.account.lease_first = settings.lease_first

    def side(self, name: str) -> Side:
        """Raises KeyError for anything but s3 and azure."""
        return {"s3": self.s3_side, "azure": self.azure_side}[name]

    def bucket(self, name: str) -> Bucket:
        """The bucket, made if it is not there."""
        return self.s3.buckets.setdefault(name, Bucket(name))

    def put_series(self, bucket: Bucket, series: SeriesSpec) -> tuple[int, int]:
        """Store many small objects; their number and bytes."""
        draw, total = Random(series.seed), 0
        for number in range(series.count):
            size = draw.randint(series.smallest, series.largest)
            recipe = f"mod251:{number}" if series.recipe == "mod251" else f"seeded:{series.seed}-{number}"
            bucket.put(ObjectSpec(key=series.pattern.format(n=number), size=size, recipe=recipe,
                                  headers={"Content-Type": series.content_type}), self.now())
            total += size
        return series.count, total

    def compare(self, bucket: Bucket, container: str) -> dict[str, Any]:
        """facts.Comparison of all current objects with a container."""
        held = self.azure.account.container(container)
        identical, missing, different, wrong = 0, [], [], []
        expected = set()
        for version in bucket.current():
            expected.add(version.key)
            blob = held.blobs.get(version.key)
            if blob is None:
                missing.append(version.key)
            elif same(version.content, blob.content):
                identical += 1
            else:
                different.append(version.key)
            if blob is not None and blob.md5 != digest(blob.content, "MD5"):
                wrong.append(version.key)
        extra = [name for name in held.names if name not in expected]
        return {"identical": identical, "missing": missing, "different": different, "extra": extra,
                "wrong_md5": wrong}

    def _fetch(self, url: str, headers: dict[str, str]) -> Reply | None:
        scheme, _, rest = url.partition("://")
        netloc, _, target = rest.partition("/")
        if scheme not in ("http", "https") or netloc.rpartition(":")[2] != str(self.s3_port):
            return None
        return self.s3_side.fetch(Request("GET", f"/{target}", {"host": netloc, **headers}))

    def _replace(self, fired: Fired, request: Request) -> None:
        """The owner overwrites or deletes an object while somebody is about to read it."""
        bucket = self.s3.buckets.get(request.container)
        if bucket is None or not request.key:
            return
        if fired.rule.do == "remove":
            bucket.delete(request.key, None, self.now())
            return
        told = {"recipe": "mod251:7", "size": 16, **(fired.rule.replacement or {}), "key": request.key}
        bucket.put(ObjectSpec.from_json(told), self.now())


def stored(bucket: Bucket, version: Version, md5: str = "") -> dict[str, Any]:
    """facts.StoredObject of a version."""
    return {
        "key": version.key, "version_id": version.version_id, "size": version.content.size, "etag": version.etag,
        "modified": version.modified, "md5": md5, "marker": version.marker,
        "latest": bucket.versions[version.key][-1] is version, "storage_class": version.spec.storage_class,
        "restore": version.restore, "checksum": version.checksum(),
    }

