"""The control plane of S3 through aiobotocore: credentials, where the bucket lives, listings, report files."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from anyio import Lock

from blobmove.core.errors import AccessError, BlobmoveError, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.model import ObjectVersion
from blobmove.core.secrets import redact
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.answers import classify
from blobmove.stores.s3.faults import explain, first_line, unusable
from blobmove.stores.s3.listed import marker_of, moment, version_of
from blobmove.stores.s3.objects import S3Objects
from blobmove.stores.s3.presign import Credentials

_MARKER: Final = "blobmove-endpoint-marker"


@frozen
class S3Settings:
    """Where a bucket is asked for. None: the standard variables and files decide. `addressing`: auto|path|virtual.

    `base` is the address in front of every key as an earlier command has found it for this region and endpoint.
    """

    bucket: str
    region: str | None = None
    endpoint: str | None = None
    addressing: str = "auto"
    ca_file: str | None = None
    base: str | None = None


class S3Control:
    """One bucket through the SDK. Use as an async context manager.

    The SDK is only loaded where it is needed: it costs 0.35 s and 40 MiB, and a `copy` that finds static keys in the
    environment and the bucket's address in its plan has nothing to ask it.
    """

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.region = settings.region or ""
        self._stack = AsyncExitStack()
        self._session: Any = None
        self._opened: Any = None
        self._opening = Lock()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def _client(self) -> Any:  # noqa: ANN401 - the SDK's clients have no types
        """The SDK's client, opened at first need. Raises UsageError where its settings cannot be used."""
        from botocore.exceptions import BotoCoreError

        async with self._opening:
            if self._opened is None:
                try:
                    configured = self._sdk().get_config_variable("region")
                    self.region = self.settings.region or configured or "us-east-1"
                    self._opened = await self._open(self.region)
                except (BotoCoreError, ValueError) as error:
                    raise unusable(error) from None
        return self._opened

    def _sdk(self) -> Any:  # noqa: ANN401 - the SDK's sessions have no types
        if self._session is None:
            from aiobotocore.session import get_session

            self._session = get_session()
            self._session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
        return self._session

    async def _open(self, region: str) -> Any:  # noqa: ANN401 - the SDK's clients have no types
        from aiobotocore.config import AioConfig

        config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": self._addressing()},
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=10,
            read_timeout=60,
            response_checksum_validation="when_required",
            max_pool_connections=32,
        )
        client = self._sdk().create_client(
            "s3", region_name=region, endpoint_url=self.settings.endpoint, config=config,
            verify=self.settings.ca_file or None,
        )
        return await self._stack.enter_async_context(client)

    def _addressing(self) -> str:
        # Without "virtual" the SDK uses the global host and new buckets answer with redirects (s3.md section 6.1).
        style = self.settings.addressing
        if style != "auto":
            return style
        endpoint = self.settings.endpoint or ""
        local = re.match(r"https?://(\d+\.\d+\.\d+\.\d+|\[|localhost)", endpoint)
        return "path" if local or "." in self.settings.bucket else "virtual"

    async def locate(self) -> str:
        """The bucket's region, after one HeadBucket. Raises UsageError or AccessError with a hint."""
        from botocore.exceptions import ClientError

        client = await self._client()
        try:
            answer = await client.head_bucket(Bucket=self.settings.bucket)
        except ClientError as error:
            found = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if not found or found == self.region or status not in (301, 307, 400, 403):
                raise self._explained(error) from None
            self.region = found
            self._opened = await self._open(found)
            return await self.locate()
        except Exception as error:
            raise self._explained(error) from None
        region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        if region and region != self.region and not self.settings.endpoint:
            self.region = region
            self._opened = await self._open(region)
        return self.region

    async def credentials(self) -> Credentials:
        """The credentials in force, renewed by the SDK when due. Raises AccessError when there are none."""
        static = static_credentials(os.environ)
        if static is not None:
            return static
        found = await self._found_credentials()
        if found is None:
            raise AccessError(
                "E401-SOURCE", "no AWS credentials were found",
                hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`",
            )
        try:
            frozen = await found.get_frozen_credentials()
        except Exception as error:  # every credential provider has errors of its own
            raise AccessError("E401-SOURCE", "the AWS credentials could not be renewed", cause=str(error)) from None
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    async def kind_of_credentials(self) -> tuple[str, datetime | None]:
        """The SDK's word for where the credentials come from (`env`, `sso`, `iam-role`, ...), and when they end.

        Raises like credentials().
        """
        await self.credentials()
        if static_credentials(os.environ) is not None:
            return "env", None
        found = await self._found_credentials()
        return str(found.method), getattr(found, "_expiry_time", None)

    async def _found_credentials(self) -> Any:  # noqa: ANN401 - the SDK's credentials have no types
        """What the SDK's chain finds, None for nothing.

        Raises UsageError where its settings cannot be used, AccessError where who has the credentials gives none.
        """
        from botocore.exceptions import BotoCoreError, CredentialRetrievalError, MetadataRetrievalError, SSOError

        try:
            return await self._sdk().get_credentials()
        except (CredentialRetrievalError, MetadataRetrievalError, SSOError) as error:
            raise AccessError("E401-SOURCE", "the AWS credentials could not be had", cause=first_line(error),
                              hint="try `aws sts get-caller-identity` here") from None
        except (BotoCoreError, ValueError) as error:  # no such profile, half a pair of keys, a moment that is none
            raise unusable(error) from None

    async def objects(self, http: HttpClient) -> S3Objects:
        """The data path of this bucket: botocore resolves host and path once, our signer does the rest."""
        await self.credentials()
        base = await self.base()
        return S3Objects(http, base, self.region, self.credentials, self._head_headers)

    async def base(self) -> str:
        """The address in front of every key: as known already, else as botocore finds it."""
        if self.settings.base and self.settings.region:
            return self.settings.base
        url: str = await (await self._client()).generate_presigned_url(
            "get_object", Params={"Bucket": self.settings.bucket, "Key": _MARKER}
        )
        return url.partition("?")[0].removesuffix(_MARKER)

    async def _head_headers(self, key: str, version_id: str | None, etag: str | None) -> dict[str, str]:
        """Headers with UTF-8 values of the same version. Raises StoreError for this object, never for the run.

        Values in another encoding cannot be read by anybody here: then nothing is told, and the object notes it.
        """
        from botocore.exceptions import ClientError

        extra = {"VersionId": version_id} if version_id else {}
        if etag:
            extra["IfMatch"] = f'"{etag}"'
        try:
            client = await self._client()
            answer = await client.head_object(Bucket=self.settings.bucket, Key=key, **extra)
        except ClientError as error:
            told = error.response.get("Error", {})
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            code, message = str(told.get("Code", "")), str(told.get("Message", ""))
            raise StoreError(
                Side.SOURCE, classify(status, code, message), code, redact(message), status=status
            ) from None
        except Exception:  # also settings of the SDK that nothing else here has needed
            return {}
        found: dict[str, str] = dict(answer["ResponseMetadata"]["HTTPHeaders"])
        return {name.lower(): value for name, value in found.items()}

    async def list_versions(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        """Current objects under `prefix` in pages of 1,000, as ListObjectsV2 shows them."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = await self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bucket, Prefix=prefix)
        try:
            async for page in pages:
                yield [version_of(item) for item in page.get("Contents", [])]
        except (ClientError, BotoCoreError) as error:
            raise self._explained(error) from None

    async def list_all_versions(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        """All versions and delete markers under `prefix` in pages of 1,000, as ListObjectVersions shows them."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = await self._client()
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket=self.settings.bucket, Prefix=prefix
        )
        try:
            async for page in pages:
                found = [version_of(item) for item in page.get("Versions", [])]
                found += [marker_of(item) for item in page.get("DeleteMarkers", [])]
                yield found
        except (ClientError, BotoCoreError) as error:
            raise self._explained(error) from None

    async def list_folders(self, prefix: str) -> list[str]:
        """The prefixes one level below `prefix` (ReportFiles of the inventory door)."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = await self._client()
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self.settings.bucket, Prefix=prefix, Delimiter="/"
        )
        try:
            return [item["Prefix"] async for page in pages for item in page.get("CommonPrefixes", [])]
        except (ClientError, BotoCoreError) as error:
            raise self._explained(error) from None

    async def fetch(self, key: str, path: Path) -> None:
        """Download one object into `path`. Raises FileNotFoundError where it is missing."""
        from botocore.exceptions import ClientError

        client = await self._client()
        try:
            answer = await client.get_object(Bucket=self.settings.bucket, Key=key)
            async with answer["Body"] as body:
                with path.open("wb") as out:
                    async for chunk in body.iter_chunks(1 << 20):
                        out.write(chunk)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                raise FileNotFoundError(key) from None
            raise self._explained(error) from None
        except OSError:
            raise  # a full disk is not S3's doing
        except Exception as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> BlobmoveError:
        return explain(error, self.settings.bucket, self.settings.endpoint)


def static_credentials(environ: Mapping[str, str]) -> Credentials | None:
    """Static keys in the environment, which come first in the SDK's chain; None: the SDK has to look.

    Keys that say when they expire are the SDK's to renew; half a pair is its to complain about.
    """
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret or environ.get("AWS_CREDENTIAL_EXPIRATION"):
        return None
    return Credentials(key, secret, environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN") or None)
