"""The S3 server's own process: moto's server, with the sample company put straight into its memory.

Over HTTP moto takes 36 to 140 objects a second; its backend takes thousands (moto is pinned in pyproject.toml
because of this). What is loaded here is what moto's request handlers would have stored for the same requests.
"""

from __future__ import annotations

import argparse
import base64
import logging
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any, TypeAlias

from blobmove.demo.company import BUCKET, INVENTORY_BUCKET, Company, CompanySize, StoredObject
from blobmove.demo.recipe import build

if TYPE_CHECKING:
    from collections.abc import Sequence

Backend: TypeAlias = Any
Key: TypeAlias = Any
Metadata: TypeAlias = Any
"""Of moto.s3.models; moto is imported late and its models carry no usable types."""

_REGION = "eu-central-1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Load the company, if one is asked for, then serve until the process is ended."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--company", type=CompanySize.parse, default=None)
    given = words.parse_args(arguments)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else an access line for every request
    if given.company is not None:
        load(build(given.company), given.company.seed)
    serve(given.port)


def serve(port: int) -> None:
    """Answer on 127.0.0.1:`port`, a thread for each connection."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler
    ).serve_forever()


def load(company: Company, seed: int) -> None:
    """Create the buckets and store every object, version and delete marker. Version ids follow from `seed`."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_api._internal import mock_random
    from moto.s3.models import s3_backends

    mock_random.seed(seed)
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for bucket in (BUCKET, INVENTORY_BUCKET):
        backend.create_bucket(bucket, _REGION)
    for stored in company.before:
        _store(backend, stored)
    backend.put_bucket_versioning(BUCKET, "Enabled")
    for stored in company.after:
        _store(backend, stored)
    written = max(stored.written for stored in (*company.before, *company.after))
    for key in company.deleted:
        backend.delete_object(BUCKET, key)
        backend.get_bucket(BUCKET).keys[key].last_modified = written


def _store(backend: Backend, stored: StoredObject) -> None:
    body = stored.content.read()
    put = _store_in_parts if stored.part_sizes else _store_whole
    key = put(backend, stored, body)
    key.last_modified = stored.written
    key.set_metadata(_metadata(stored))
    key.set_acl(backend.get_bucket(BUCKET).acl)


def _store_whole(backend: Backend, stored: StoredObject, body: bytes) -> Key:
    key = backend.put_object(
        BUCKET, stored.key, body, storage=stored.storage_class, etag=md5(body, usedforsecurity=False).hexdigest(),
        encryption="AES256" if stored.encrypted else None, checksum_value=_checksum(stored, body),
        disable_notification=True,
    )
    key.checksum_algorithm = stored.checksum
    key.checksum_type = "FULL_OBJECT" if stored.checksum else None
    return key


def _store_in_parts(backend: Backend, stored: StoredObject, body: bytes) -> Key:
    upload = backend.create_multipart_upload(
        BUCKET, stored.key, _metadata(stored), stored.storage_class, {}, None,
        "AES256" if stored.encrypted else None, None,
    )
    etags, start = [], 0
    for number, size in enumerate(stored.part_sizes, start=1):
        part = backend.upload_part(BUCKET, upload.id, number, body[start : start + size])
        etags.append((number, part.etag))
        start += size
    key = backend.complete_multipart_upload(BUCKET, upload.id, iter(etags))
    key.checksum_algorithm = stored.checksum  # moto has computed the CRC-64 of the whole, but shows it only if named
    return key


def _metadata(stored: StoredObject) -> Metadata:
    """The headers as moto keeps them: content headers as given, the user's under their full header name."""
    from requests.structures import CaseInsensitiveDict

    return CaseInsensitiveDict({**stored.headers, **{f"x-amz-meta-{n}": v for n, v in stored.metadata.items()}})


def _checksum(stored: StoredObject, body: bytes) -> str | None:
    """The value S3 would have stored, base64 of the big-endian digest."""
    if stored.checksum is None:
        return None
    if stored.checksum == "SHA256":
        return base64.b64encode(sha256(body).digest()).decode()
    from awscrt.checksums import crc64nvme

    return base64.b64encode(crc64nvme(body).to_bytes(8, "big")).decode()


if __name__ == "__main__":
    main()
