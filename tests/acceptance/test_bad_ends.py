"""Bucket, container, account and credentials that are wrong: one clear error, and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from blobmove.demo.servers import AZURITE_ACCOUNT, AZURITE_KEY
from tests.acceptance.checkpoint_file import states
from tests.acceptance.refusals import refused
from tests.acceptance.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

WRONG_KEY = "d3Jvbmcta2V5LW9mLXRoZS1hY2NvdW50LW9mLXNvbWVib2R5LWVsc2U="
NO_AWS: Final[dict[str, str | None]] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
NO_AZURE: Final[dict[str, str | None]] = {"AZURE_STORAGE_CONNECTION_STRING": None}


def expired_sas(world: World) -> str:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    sas = generate_container_sas(
        AZURITE_ACCOUNT, world.container, account_key=AZURITE_KEY, start=yesterday - timedelta(days=1),
        expiry=yesterday, permission=ContainerSasPermissions(read=True, write=True, create=True, list=True),
    )  # fmt: skip
    world.terminal.secrets.append(sas.rpartition("sig=")[2])
    return sas


def credentials(world: World, which: str) -> Mapping[str, str | None]:
    """The environment in which `which` is wrong."""
    world.terminal.secrets.append(WRONG_KEY)
    wrong: dict[str, Mapping[str, str | None]] = {
        "wrong account key": {
            "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=devstoreaccount1;AccountKey={WRONG_KEY}"
        },
        "account key that is no key": {**NO_AZURE, "AZURE_STORAGE_KEY": "not-base64-at-all!"},
        "expired SAS": {**NO_AZURE, "AZURE_STORAGE_SAS_TOKEN": f"?{expired_sas(world)}"},
        "no AWS credentials": NO_AWS,
        "no Azure credentials": NO_AZURE,
        "connection string without key": {"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https"},
        "another account's connection string": {
            "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=somebodyelse;AccountKey={WRONG_KEY}"
        },
    }
    return wrong[which]


CREDENTIALS = [
    ("wrong account key", "E403-DESTINATION", 4),
    ("account key that is no key", "E401-DESTINATION", 4),
    ("expired SAS", "E403-DESTINATION", 4),
    ("no AWS credentials", "E401-SOURCE", 4),
    ("no Azure credentials", "E401-DESTINATION", 4),
    ("connection string without key", "E400-AZURE", 2),
    ("another account's connection string", "E409-ACCOUNT", 2),
]


@pytest.mark.parametrize(("which", "code", "exit_code"), CREDENTIALS)
def test_a_first_plan_with_wrong_credentials_leaves_nothing_behind(
    world: World, which: str, code: str, exit_code: int
) -> None:
    world.blobs.create_container()
    error = refused(
        world, "plan", "--source", world.source, "--destination", world.destination, "--list", code=code,
        exit_code=exit_code, env=credentials(world, which),
    )  # fmt: skip
    assert error["cause"] or which in ("another account's connection string", "connection string without key",
                                       "no Azure credentials")


@pytest.fixture(scope="module")
def planned(shared_world: World) -> World:
    """A plan of three objects, nothing copied yet."""
    shared_world.put_many(3)
    shared_world.plan()
    return shared_world


@pytest.mark.parametrize(
    ("which", "code"),
    # Azure says AuthenticationFailed to an expired SAS (then the code is E401), Azurite says AuthorizationFailure.
    [("wrong account key", "E403-DESTINATION"), ("expired SAS", "E403-DESTINATION"),
     ("no AWS credentials", "E401-SOURCE")],
)  # fmt: skip
def test_a_copy_with_wrong_credentials_stops_and_everything_stays_pending(
    planned: World, which: str, code: str
) -> None:
    refused(planned, "copy", "--resume", code=code, exit_code=4, env=credentials(planned, which))
    assert states(planned.checkpoint) == {"pending": 3}


def test_an_unknown_bucket(world: World) -> None:
    world.blobs.create_container()
    error = refused(world, "plan", "--source", "s3://no-such-bucket", "--destination", world.destination, "--list",
                    code="E404-BUCKET", exit_code=2)
    assert "no-such-bucket" in error["message"]


def test_an_unknown_container(world: World) -> None:
    error = refused(world, "plan", "--source", world.source, "--destination", world.destination, "--list",
                    code="E404-CONTAINER", exit_code=2)
    assert world.container in error["message"]
    assert "--create-container" in error["hint"]


def test_a_bucket_that_is_deleted_after_the_plan(world: World) -> None:
    world.put("a.pdf", b"a")
    world.plan()
    world.delete("a.pdf")
    world.s3.delete_bucket(Bucket=world.bucket)
    refused(world, "copy", "--resume", code="E404-BUCKET", exit_code=2)
    assert states(world.checkpoint) == {"pending": 1}


def test_a_container_that_is_deleted_after_the_plan(world: World) -> None:
    world.put("a.pdf", b"a")
    world.plan()
    world.blobs.delete_container()
    refused(world, "copy", "--resume", code="E404-CONTAINER", exit_code=2)
    assert states(world.checkpoint) == {"pending": 1}
    refused(world, "verify", code="E404-CONTAINER", exit_code=2)


def test_a_secret_in_the_address_is_refused_without_being_shown(world: World) -> None:
    sas = expired_sas(world)
    run = world.run("plan", "--source", world.source, "--destination", f"{world.destination}?{sas}", "--list", expect=2)
    assert "AZURE_STORAGE_SAS_TOKEN" in run.err
