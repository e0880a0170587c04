"""Every contract test runs against the simulated cloud and against a real emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from blobmove.core.errors import Side
from blobmove.demo.child import Server
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.azure.control import AzureControl
from blobmove.stores.http import HttpClient
from blobmove.stores.s3.control import S3Control, S3Settings
from blobmove.stores.s3.objects import S3Objects
from tests.cloud.control import Cloud
from tests.contract.azure_requests import RawAzure
from tests.contract.worlds import CREDENTIALS, REGION, AzureWorld, CloudS3, MotoS3, S3World, fresh_name


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secret_key)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def boto_client(s3_server: Server) -> Iterator[Any]:
    """boto3 on moto: a client that is not ours fills the buckets."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=s3_server.url, region_name=REGION, aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key)
    yield client
    client.close()


@pytest.fixture(params=["cloud", pytest.param("moto", marks=pytest.mark.servers)])
def s3_world(request: pytest.FixtureRequest) -> S3World:
    """An empty bucket in eu-central-1."""
    bucket = fresh_name("contract")
    if request.param == "cloud":
        cloud: Cloud = request.getfixturevalue("cloud")
        cloud.bucket(bucket, region=REGION)
        return CloudS3(cloud, bucket)
    client = request.getfixturevalue("boto_client")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return MotoS3(client, request.getfixturevalue("s3_server").url, bucket)


@pytest.fixture(params=["cloud", pytest.param("azurite", marks=pytest.mark.servers)])
def azure_world(request: pytest.FixtureRequest) -> AzureWorld:
    """A container name that is free."""
    container = fresh_name("contract")
    if request.param == "cloud":
        return AzureWorld("cloud", request.getfixturevalue("cloud").azure_url, container)
    return AzureWorld("azurite", request.getfixturevalue("azure_server").url, container)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Side.SOURCE)
    yield client
    await client.close()


@pytest.fixture
async def control(s3_world: S3World) -> AsyncIterator[S3Control]:
    """The tool's control plane on the bucket."""
    async with S3Control(S3Settings(s3_world.bucket, region=REGION, endpoint=s3_world.url)) as opened:
        yield opened


@pytest.fixture
async def objects(control: S3Control, http: HttpClient) -> S3Objects:
    """The tool's data path to the bucket."""
    return await control.objects(http)


@pytest.fixture
async def azure_control(azure_world: AzureWorld) -> AsyncIterator[AzureControl]:
    """The tool's control plane on the container, which is not made yet."""
    async with AzureControl(azure_world.destination, azure_world.access) as opened:
        yield opened


@pytest.fixture
async def azure_http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Side.DESTINATION)
    yield client
    await client.close()


@pytest.fixture
def azure(azure_http: HttpClient, azure_world: AzureWorld) -> RawAzure:
    """Requests the door does not make."""
    return RawAzure(azure_http, azure_world)


@pytest.fixture
async def blobs(azure_control: AzureControl, azure_http: HttpClient) -> AzureBlobs:
    """The tool's data path to an empty container."""
    await azure_control.create_container()
    return await azure_control.blobs(azure_http)
