"""The vendors' own clients for the two emulators, as the demo and its check use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from blobmove.demo.servers import S3_CREDENTIALS, connection_string

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

S3Client: TypeAlias = Any
"""A boto3 client: boto3 makes its methods at run time and has no types of its own."""

_AZURE_VERSION = "2025-11-05"
"""The service version asked for: the client's own default is newer than any Azurite (azure-blob.md section 7)."""


def s3_client(url: str) -> S3Client:
    """A boto3 S3 client for the server at `url`: path style, no retries, bytes as they are stored."""
    import boto3
    from botocore.config import Config

    config = Config(
        max_pool_connections=16,
        retries={"total_max_attempts": 1},
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
        proxies={},
    )
    return boto3.session.Session(
        aws_access_key_id=S3_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=S3_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=S3_CREDENTIALS["AWS_REGION"],
    ).client("s3", endpoint_url=url, config=config)


def container_client(azurite_url: str, container: str) -> ContainerClient:
    """A client for one container of the Azurite at `azurite_url`; objects come in one request each."""
    from azure.storage.blob import ContainerClient

    return ContainerClient.from_connection_string(
        connection_string(azurite_url),
        container,
        api_version=_AZURE_VERSION,
        max_single_get_size=1 << 30,
        connection_data_block_size=1 << 20,
    )
