"""The servers the contract is held against, behind one face each: how to put things there, and their addresses."""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest

from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.model import Destination
from blobmove.demo.servers import AZURITE_ACCOUNT, AZURITE_KEY
from blobmove.stores.azure.account import AccountAccess
from blobmove.stores.http import Answer, HttpClient
from blobmove.stores.s3.presign import Credentials, Presigner, encode_key
from tests.cloud.content import from_recipe
from tests.cloud.control import Cloud
from tests.cloud.specs import ObjectSpec
from tests.contract.deviations import DEVIATIONS

REGION: Final = "eu-central-1"
CREDENTIALS: Final = Credentials("AKIACONTRACT", "contract-secret")
_numbers = itertools.count(1)


def deviates(server: str, name: str) -> bool:
    """Whether this server is known to differ here. Raises KeyError for a name that is not in the table."""
    return DEVIATIONS[name].server == server


def fresh_name(kind: str) -> str:
    """A bucket or container nobody has used on a server that lives longer than one test."""
    return f"{kind}-{os.getpid()}-{next(_numbers)}"


class S3World(Protocol):
    """A bucket on some server, as its owner sees it."""

    name: str
    bucket: str

    @property
    def url(self) -> str: ...

    def put(self, *specs: ObjectSpec) -> None: ...

    def versioned(self) -> None: ...

    def remove(self, key: str) -> None: ...

    def versions(self, key: str) -> list[str]:
        """Version ids, the oldest first, delete markers behind."""
        ...

    def deviates(self, name: str) -> bool: ...


@dataclass(slots=True)
class CloudS3:
    """The simulated cloud's S3."""

    cloud: Cloud
    bucket: str
    name: str = "cloud"

    @property
    def url(self) -> str:
        return self.cloud.s3_url

    def put(self, *specs: ObjectSpec) -> None:
        self.cloud.put(self.bucket, *specs)

    def versioned(self) -> None:
        self.cloud.bucket(self.bucket, versioned=True)

    def remove(self, key: str) -> None:
        self.cloud.remove(self.bucket, key)

    def versions(self, key: str) -> list[str]:
        return [one.version_id for one in self.cloud.objects(self.bucket) if one.key == key]

    def deviates(self, name: str) -> bool:
        return deviates("cloud", name)


@dataclass(slots=True)
class MotoS3:
    """moto, filled through boto3."""

    client: Any
    url: str
    bucket: str
    name: str = "moto"

    def put(self, *specs: ObjectSpec) -> None:
        for spec in specs:
            (self._put_parts if spec.parts else self._put_whole)(spec)

    def _put_whole(self, spec: ObjectSpec) -> None:
        content = from_recipe(spec.recipe, spec.size)
        self.client.put_object(
            Bucket=self.bucket, Key=spec.key, Body=content.read(0, content.size), **_described(spec),
            **({"ChecksumAlgorithm": spec.checksum} if spec.checksum else {}))

    def _put_parts(self, spec: ObjectSpec) -> None:
        content, place = from_recipe(spec.recipe, sum(spec.parts)), {"Bucket": self.bucket, "Key": spec.key}
        checked = {"ChecksumAlgorithm": spec.checksum} if spec.checksum else {}
        kind = {"ChecksumType": spec.checksum_type} if spec.checksum else {}
        upload = self.client.create_multipart_upload(**place, **checked, **kind, **_described(spec))["UploadId"]
        done, offset = [], 0
        for number, size in enumerate(spec.parts, 1):
            told = self.client.upload_part(
                **place, UploadId=upload, PartNumber=number, Body=content.read(offset, size), **checked)
            kept = {name: value for name, value in told.items() if name.startswith("Checksum")}
            done.append({"PartNumber": number, "ETag": told["ETag"], **kept})
            offset += size
        self.client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": done})

    def versioned(self) -> None:
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def versions(self, key: str) -> list[str]:
        told = self.client.list_object_versions(Bucket=self.bucket, Prefix=key)
        newest_first = [*told.get("DeleteMarkers", []), *told.get("Versions", [])]
        return [one["VersionId"] for one in reversed(newest_first)]

    def deviates(self, name: str) -> bool:
        return deviates("moto", name)


_NAMES: Final = {
    "Content-Type": "ContentType", "Content-Encoding": "ContentEncoding", "Content-Language": "ContentLanguage",
    "Content-Disposition": "ContentDisposition", "Cache-Control": "CacheControl",
}


def _described(spec: ObjectSpec) -> dict[str, Any]:
    told: dict[str, Any] = {_NAMES[name]: value for name, value in spec.headers.items()}
    told |= {"Metadata": dict(spec.metadata), "StorageClass": spec.storage_class}
    if spec.tags:
        told["Tagging"] = "&".join(f"{name}={value}" for name, value in spec.tags.items())
    if spec.encryption == "SSE-C":
        told |= {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    elif spec.encryption:
        told["ServerSideEncryption"] = spec.encryption
    return told


@dataclass(slots=True)
class AzureWorld:
    """A container that is not made yet, on the cloud or on Azurite; both take the emulators' public key."""

    name: str
    url: str
    container: str

    @property
    def destination(self) -> Destination:
        return Destination(self.url, self.container)

    @property
    def access(self) -> AccountAccess:
        return AccountAccess(AZURITE_ACCOUNT, self.url, key=AZURITE_KEY)

    def deviates(self, name: str) -> bool:
        return deviates(self.name, name)


async def ask(
    http: HttpClient, world: S3World, key: str, *extra: tuple[str, str], age: int = 0, tamper: bool = False
) -> Answer:
    """One GET by a URL signed for an hour, `age` seconds ago, with any query parameters; `tamper` spoils it."""
    host, path = world.url.partition("://")[2], f"/{world.bucket}/{encode_key(key)}"
    signer = Presigner(CREDENTIALS, REGION, host)
    query = signer.query("GET", path, extra, now=time.time() - age)
    if tamper:
        query = query[:-1] + ("0" if query[-1] != "0" else "1")
    return await http.send("GET", f"{world.url}{path}?{query}")


def refusal(caught: pytest.ExceptionInfo[StoreError], kind: Kind, code: str, side: Side) -> None:
    """Assert that the caught error is this one."""
    error = caught.value
    assert (error.side, error.kind, error.code) == (side, kind, code), f"{error.kind} {error}"
