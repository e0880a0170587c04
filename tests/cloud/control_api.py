"""The reserved path `/_cloud/NAME` on both ports: a JSON object in, a JSON value out (or bytes, for `content`)."""

from __future__ import annotations

import base64
import json
import resource
from collections.abc import Callable
from typing import Any

from tests.cloud.azure_answers import AzureError
from tests.cloud.azure_state import Blob, Container
from tests.cloud.content import Content, Raw, digest, from_recipe
from tests.cloud.side import RESERVED
from tests.cloud.skies import Sky
from tests.cloud.specs import BlobSpec, ObjectSpec, Rule, SeriesSpec, Settings, Weather
from tests.cloud.wire import Reply, Request
from tests.cloud.world import World, stored

Told = dict[str, Any]


class ControlApi:
    """All commands of the control API; each public method is one, named as in its path."""

    def __init__(self) -> None:
        self.world = World(self.answer)
        self._rules = 0
        self._cpu_before = 0.0
        self._commands: dict[str, Callable[[Told], Any]] = {
            name: getattr(self, name) for name in dir(type(self)) if not name.startswith("_") and name != "answer"
        }

    def answer(self, request: Request) -> Reply:
        """The reply to one request; 400 with `error` for what cannot be done."""
        name = request.path.removeprefix(RESERVED)
        command = self._commands.get(name)
        if command is None:
            return _json(404, {"error": f"no command {name!r}; there are {', '.join(sorted(self._commands))}"})
        try:
            result = command(json.loads(request.body) if request.body else {})
        except (KeyError, TypeError, ValueError, AzureError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})
        if isinstance(result, dict | list | int | str | None):
            return _json(200, result)
        return Reply(200, {"Content-Type": "application/octet-stream"}, result)

    # the world

    def health(self, told: Told) -> Told:
        return {"s3_port": self.world.s3_port, "azure_port": self.world.azure_port}

    def reset(self, told: Told) -> None:
        self.world.clear()
        self._rules = 0  # a rule's chances depend on its number, and shall be the same in every test

    def settings(self, told: Told) -> None:
        self.world.set(Settings.from_json(told))

    def now(self, told: Told) -> str:
        return repr(self.world.now())

    # S3

    def bucket(self, told: Told) -> None:
        """Make or change a bucket: name, and any of region, versioned, listable."""
        bucket = self.world.bucket(told.pop("name"))
        for field in told:
            if field not in ("region", "versioned", "listable"):
                raise TypeError(field)
            setattr(bucket, field, told[field])

    def put(self, told: Told) -> list[Told]:
        bucket = self.world.bucket(told["bucket"])
        made = [bucket.put(_object_spec(one), self.world.now()) for one in told["objects"]]
        return [stored(bucket, one) for one in made]

    def series(self, told: Told) -> Told:
        bucket = self.world.bucket(told["bucket"])
        number, size = self.world.put_series(bucket, SeriesSpec.from_json(told["series"]))
        return {"objects": number, "bytes": size}

    def remove(self, told: Told) -> None:
        self.world.bucket(told["bucket"]).delete(told["key"], told.get("version_id"), self.world.now())

    def restore(self, told: Told) -> None:
        """Set x-amz-restore of the newest version: None, or its text."""
        version = self.world.bucket(told["bucket"]).find(told["key"])
        if version is None:
            raise KeyError(told["key"])
        version.restore = told["restore"]

    def objects(self, told: Told) -> list[Told]:
        """All versions of a bucket, in key order, the oldest first; with `digests` their MD5s."""
        bucket = self.world.bucket(told["bucket"])
        return [
            stored(bucket, one, digest(one.content, "MD5").hex() if told.get("digests") else "")
            for key in bucket.keys
            for one in bucket.versions[key]
        ]

    def object_headers(self, told: Told) -> Told:
        """The headers that belong to the newest version of an object."""
        version = self.world.bucket(told["bucket"]).find(told["key"])
        if version is None:
            raise KeyError(told["key"])
        return dict(version.head)

    def uploads(self, told: Told) -> list[str]:
        """The keys of multipart uploads under way."""
        return sorted(one.key for one in self.world.bucket(told["bucket"]).uploads.values())

    # Azure

    def container(self, told: Told) -> None:
        self.world.azure.make_container(told["name"])

    def put_blobs(self, told: Told) -> list[Told]:
        container = self.world.azure.make_container(told["container"])
        for one in told["blobs"]:
            self._put_blob(container, BlobSpec.from_json(one))
        return [_blob_facts(container, one["name"]) for one in told["blobs"]]

    def _put_blob(self, container: Container, spec: BlobSpec) -> None:
        if spec.committed:
            content = from_recipe(spec.recipe, spec.size)
            now = float(int(self.world.now()))
            md5 = digest(content, "MD5") if spec.md5 == "computed" else None
            if spec.md5 not in ("computed", "none"):
                md5 = base64.b64decode(spec.md5, validate=True)
            headers = {"Content-Type": "application/octet-stream", **spec.headers}
            etag = self.world.azure.account.next_etag()
            container.commit(Blob(
                spec.name, content, etag, now, now, md5=md5, headers=headers, metadata=dict(spec.metadata),
                tier=spec.tier, lease=spec.lease, blob_type=spec.blob_type))
        for block_id, recipe, size in spec.staged:
            block = base64.b64encode(block_id.encode()).decode()
            container.stage(spec.name, block, from_recipe(recipe, size))

    def blobs(self, told: Told) -> list[Told]:
        """All blobs of a container, those with staged blocks only among them."""
        container = self.world.azure.account.container(told["container"])
        names = [told["name"]] if "name" in told else sorted({*container.names, *container.staged})
        return [_blob_facts(container, name) for name in names if name in container.blobs or name in container.staged]

    def drop_blob(self, told: Told) -> None:
        self.world.azure.account.container(told["container"]).drop(told["name"])

    def drop_container(self, told: Told) -> None:
        del self.world.azure.account.containers[told["name"]]

    # both

    def content(self, told: Told) -> Content:
        """The bytes of an object (`bucket`, `key`, `version_id`) or of a blob (`container`, `name`)."""
        if "bucket" in told:
            version = self.world.bucket(told["bucket"]).find(told["key"], told.get("version_id"))
            if version is None:
                raise KeyError(told["key"])
            return version.content
        return self.world.azure.account.container(told["container"]).blobs[told["name"]].content

    def compare(self, told: Told) -> Told:
        return self.world.compare(self.world.bucket(told["bucket"]), told["container"])

    def weather(self, told: Told) -> None:
        side = self.world.side(told.pop("side"))
        side.sky = Sky(Weather.from_json(told))

    def rule(self, told: Told) -> int:
        rule = Rule.from_json(told)
        self._rules += 1
        self.world.side(rule.side).book.add(self._rules, rule)
        return self._rules

    def drop_rule(self, told: Told) -> None:
        for side in (self.world.s3_side, self.world.azure_side):
            side.book.remove(told["id"])

    def rules(self, told: Told) -> list[Told]:
        live = self.world.s3_side.book.live + self.world.azure_side.book.live
        return [one.report() for one in sorted(live, key=lambda one: one.id)]

    def counts(self, told: Told) -> Told:
        used = _cpu_seconds()
        return {"s3": self.world.s3_side.report(), "azure": self.world.azure_side.report(),
                "cpu_seconds": used, "cpu_seconds_counted": used - self._cpu_before}

    def reset_counts(self, told: Told) -> None:
        self._cpu_before = _cpu_seconds()
        for side in (self.world.s3_side, self.world.azure_side):
            side.reset_counts()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _object_spec(told: Told) -> ObjectSpec:
    return ObjectSpec.from_json(told | {"parts": tuple(told.get("parts", ()))})


def _blob_facts(container: Container, name: str) -> Told:
    blob = container.blobs.get(name)
    content = blob.content if blob else Raw(b"")
    staged = sorted(container.staged.get(name, {}).items(), key=lambda one: one[0])
    return {
        "name": name, "size": content.size, "etag": blob.etag if blob else "", "committed": blob is not None,
        "content_md5": blob.md5.hex() if blob and blob.md5 is not None else None,
        "md5": digest(content, "MD5").hex() if blob else "",
        "headers": blob.headers if blob else {}, "metadata": blob.metadata if blob else {},
        "tags": blob.tags if blob else "", "tier": blob.tier if blob else None,
        "blob_type": blob.blob_type if blob else "BlockBlob", "lease": blob.lease if blob else None,
        "blocks": [_block(one) for one in blob.blocks] if blob else [],
        "staged": [_block(one) for one in staged], "writes": container.writes.get(name, 0),
    }


def _block(block: tuple[str, Content]) -> tuple[str, int]:
    return base64.b64decode(block[0]).decode("utf-8", "replace"), block[1].size


def _json(status: int, value: Any) -> Reply:  # noqa: ANN401 - any JSON value
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
