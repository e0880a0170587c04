"""`Cloud`: the hand on a running simulated cloud, for tests. Synchronous; every call is one small local request."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.cloud.facts import Comparison, Counts, RuleReport, Series, SideCounts, StoredBlob, StoredObject
from tests.cloud.specs import BlobSpec, Key, ObjectSpec, Rule, SeriesSpec, Settings, SideName, Weather

ACCOUNT: Final = "devstoreaccount1"
SAS: Final = "sv=2025-11-05&sr=c&sp=racwdl&se=2099-01-01T00%3A00%3A00Z&sig=c2ltdWxhdGVk"
"""A SAS the cloud accepts until the year 2099 of its clock."""

_ROOT: Final = Path(__file__).resolve().parents[2]


class CloudError(AssertionError):
    """Raised when the cloud refuses a command of a test: the test is wrong, not the tool."""


class Cloud:
    """A running cloud. `s3_url` and `azure_url` (with the account) are what the tool is pointed at; `ca_file`: the
    authority behind its certificate, where it speaks TLS."""

    def __init__(
        self, s3_port: int, azure_port: int, process: subprocess.Popen[str] | None = None, *, ca_file: str | None = None
    ) -> None:
        self.s3_port = s3_port
        self.azure_port = azure_port
        self.ca_file = ca_file
        scheme = "https" if ca_file else "http"
        self.s3_url = f"{scheme}://127.0.0.1:{s3_port}"
        self.azure_url = f"{scheme}://127.0.0.1:{azure_port}/{ACCOUNT}"
        self._process = process
        self._connection: http.client.HTTPConnection | None = None

    @classmethod
    def start(cls, *, s3_port: int = 0, azure_port: int = 0, tls: bool = False, host: str = "127.0.0.1") -> Cloud:
        """A new process on free ports; it ends with `stop`, or with this process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cloud.serve", "--s3-port", str(s3_port), "--azure-port", str(azure_port),
             "--host", host, *(["--tls"] if tls else [])],
            cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CloudError(f"the simulated cloud did not start (exit code {process.wait(5)})")
        told = json.loads(line)
        return cls(told["s3_port"], told["azure_port"], process, ca_file=told.get("ca_file"))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """End the process this object started; harmless when it is gone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def environment(self) -> dict[str, str]:
        """The variables with which every command of the tool finds this cloud."""
        authority = {"AWS_CA_BUNDLE": self.ca_file, "SSL_CERT_FILE": self.ca_file} if self.ca_file else {}
        return authority | {
            "AWS_ACCESS_KEY_ID": "AKIACLOUD",
            "AWS_SECRET_ACCESS_KEY": "cloud-secret",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_S3": self.s3_url,
            "AZURE_STORAGE_SAS_TOKEN": SAS,
        }

    def destination(self, container: str) -> str:
        """The container's URL, as `--destination` takes it."""
        return f"{self.azure_url}/{container}"

    # the world

    def reset(self) -> None:
        """Forget everything: data, rules, weather, settings, counts."""
        self._ask("reset")

    def settings(self, settings: Settings) -> None:
        self._ask("settings", settings.to_json())

    def know(self, *keys: Key, check_signatures: bool = True) -> None:
        """Only these AWS credentials are known from now on."""
        told = tuple(asdict(key) for key in keys)
        self.settings(Settings(check_signatures=check_signatures, keys=told))

    def now(self) -> float:
        """The cloud's clock in seconds since 1970."""
        return float(self._ask("now"))

    # S3

    def bucket(
        self, name: str, *, region: str = "eu-central-1", versioned: bool = False, listable: bool = True
    ) -> None:
        """Make or change a bucket."""
        self._ask("bucket", {"name": name, "region": region, "versioned": versioned, "listable": listable})

    def put(self, bucket: str, *specs: ObjectSpec) -> list[StoredObject]:
        """Store objects, each as the newest version of its key."""
        told = self._ask("put", {"bucket": bucket, "objects": [one.to_json() for one in specs]})
        return [StoredObject(**one) for one in told]

    def put_series(self, bucket: str, series: SeriesSpec) -> Series:
        return Series(**self._ask("series", {"bucket": bucket, "series": series.to_json()}))

    def remove(self, bucket: str, key: str, version_id: str | None = None) -> None:
        """Delete an object: a delete marker on a versioned bucket, or exactly the version named."""
        self._ask("remove", {"bucket": bucket, "key": key, "version_id": version_id})

    def set_restore(self, bucket: str, key: str, text: str | None) -> None:
        """x-amz-restore of an archived object, `ongoing-request="false", expiry-date="..."` when it is readable."""
        self._ask("restore", {"bucket": bucket, "key": key, "restore": text})

    def objects(self, bucket: str, *, digests: bool = False) -> list[StoredObject]:
        """All versions, in key order, the oldest of a key first."""
        return [StoredObject(**one) for one in self._ask("objects", {"bucket": bucket, "digests": digests})]

    def object_headers(self, bucket: str, key: str) -> dict[str, str]:
        """The headers of an object's newest version."""
        return dict(self._ask("object_headers", {"bucket": bucket, "key": key}))

    def uploads(self, bucket: str) -> list[str]:
        """The keys of multipart uploads under way."""
        return list(self._ask("uploads", {"bucket": bucket}))

    def object_content(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        return self._raw({"bucket": bucket, "key": key, "version_id": version_id})

    # Azure

    def container(self, name: str) -> None:
        """Make a container; harmless if it is there."""
        self._ask("container", {"name": name})

    def drop_container(self, name: str) -> None:
        self._ask("drop_container", {"name": name})

    def put_blobs(self, container: str, *specs: BlobSpec) -> list[StoredBlob]:
        """Blobs, or staged blocks, that are there before the tool comes."""
        told = self._ask("put_blobs", {"container": container, "blobs": [one.to_json() for one in specs]})
        return [_blob(one) for one in told]

    def drop_blob(self, container: str, name: str) -> None:
        self._ask("drop_blob", {"container": container, "name": name})

    def blobs(self, container: str) -> dict[str, StoredBlob]:
        """All blobs by name, those with staged blocks only among them."""
        return {one["name"]: _blob(one) for one in self._ask("blobs", {"container": container})}

    def blob(self, container: str, name: str) -> StoredBlob | None:
        found = self._ask("blobs", {"container": container, "name": name})
        return _blob(found[0]) if found else None

    def blob_content(self, container: str, name: str) -> bytes:
        return self._raw({"container": container, "name": name})

    def compare(self, bucket: str, container: str) -> Comparison:
        """Every current object against the blob of its name, byte for byte, without moving the bytes here."""
        return Comparison(**self._ask("compare", {"bucket": bucket, "container": container}))

    # weather and faults

    def weather(self, side: SideName, weather: Weather) -> None:
        self._ask("weather", {"side": side, **weather.to_json()})

    def rule(self, rule: Rule) -> int:
        """From now on this goes wrong. Returns the rule's number."""
        number: int = self._ask("rule", rule.to_json())
        return number

    def drop_rule(self, number: int) -> None:
        self._ask("drop_rule", {"id": number})

    def rules(self) -> list[RuleReport]:
        """What every rule has seen and done."""
        return [
            RuleReport(one["id"], one["matched"], one["fired"], [(a, b, c) for a, b, c in one["log"]])
            for one in self._ask("rules")
        ]

    def fired(self, number: int) -> RuleReport:
        """What one rule has done. Raises KeyError for a number that is not there."""
        return {one.id: one for one in self.rules()}[number]

    def counts(self) -> Counts:
        told = self._ask("counts")
        return Counts(SideCounts(**told["s3"]), SideCounts(**told["azure"]), told["cpu_seconds"],
                      told["cpu_seconds_counted"])

    def reset_counts(self) -> None:
        self._ask("reset_counts")

    # the way there

    def _ask(self, command: str, told: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON value
        status, body = self._send(command, told or {})
        if status != 200:
            raise CloudError(f"{command}: {json.loads(body)['error']}")
        return json.loads(body)

    def _raw(self, told: Mapping[str, Any]) -> bytes:
        status, body = self._send("content", told)
        if status != 200:
            raise CloudError(f"content: {json.loads(body)['error']}")
        return body

    def _send(self, command: str, told: Mapping[str, Any]) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        body = json.dumps(told).encode()
        self._connection.request("POST", f"/_cloud/{command}", body)
        response = self._connection.getresponse()
        return response.status, response.read()

    def _connect(self) -> http.client.HTTPConnection:
        if self.ca_file is None:
            return http.client.HTTPConnection("127.0.0.1", self.azure_port, timeout=60)
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection("127.0.0.1", self.azure_port, timeout=60, context=context)


def _blob(told: Mapping[str, Any]) -> StoredBlob:
    return StoredBlob(**{**told, "blocks": _pairs(told["blocks"]), "staged": _pairs(told["staged"])})


def _pairs(told: Iterable[Iterable[Any]]) -> list[tuple[str, int]]:
    return [(name, size) for name, size in told]
