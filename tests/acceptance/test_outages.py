"""A server that dies in the middle of a copy: the run rides out a short outage and stops for a long one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from blobmove.demo.child import free_port
from blobmove.demo.servers import AZURITE_ACCOUNT, AZURITE_KEY, azurite, moto, running
from tests.acceptance.checkpoint_file import states
from tests.acceptance.refusals import the_error
from tests.acceptance.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.demo.child import Server
    from tests.acceptance.commands import Process, Run
    from tests.acceptance.forks import Forks

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

OBJECTS = 80
SLOWLY = ("--bandwidth", "30K", "--concurrency", "24")
"""Eight objects a second: two pauses of two seconds, on a machine that has other things to do, do not let it end."""


@dataclass(slots=True)
class Outage:
    """A copy between servers of its own, one of which went away for good while it ran."""

    world: World
    server: Server
    process: Process
    run: Run | None = None

    def ended(self) -> Run:
        """The copy that was under way; waited for once."""
        if self.run is None:
            self.run = self.process.ended(2)
        return self.run

    def come_back(self) -> None:
        """The server on its old address; moto has forgotten everything, so the same objects are put again."""
        self.server.start()
        if "moto" in self.server.name:
            self.world.create_bucket(self.world.bucket)
            self.world.put_many(OBJECTS, size=4000)


@pytest.fixture(scope="module")
def outages(
    tmp_path_factory: pytest.TempPathFactory, azurite_home: Path, s3_server: Server, azure_server: Server, forks: Forks
) -> Iterator[dict[str, Outage]]:
    """Two copies side by side: one loses S3, the other Azure. Each takes its time to give up."""
    folders = {side: tmp_path_factory.mktemp(f"outage-{side}") for side in ("S3", "Azure")}
    own_azure = azurite(folders["Azure"], azurite_home, keep=folders["Azure"] / "blobs")
    with running(moto(folders["S3"])) as own_s3, running(own_azure):
        without_s3 = _under_way(World.create(folders["S3"], own_s3.url, azure_server.url, forks), own_s3)
        own_s3.kill()
        without_azure = _under_way(World.create(folders["Azure"], s3_server.url, own_azure.url, forks), own_azure)
        own_azure.stop()  # as good as a kill for the copy; killed, Azurite would lose what is not written down yet
        yield {"S3": without_s3, "Azure": without_azure}


def _under_way(world: World, server: Server) -> Outage:
    world.put_many(OBJECTS, size=4000)
    world.plan()
    process = world.start("copy", "--resume", "--json", *SLOWLY)
    process.until(lambda: world.settled() >= 3, "some objects copied")
    return Outage(world, server, process)


@pytest.mark.usefixtures("outages")
def test_ends_that_cannot_be_reached_are_named(world: World) -> None:
    """Three plans at once, because each tries a few times; meanwhile the copies of the outages wait, too."""
    world.blobs.create_container()
    nowhere = f"http://127.0.0.1:{free_port()}"
    account: dict[str, str | None] = {
        "AZURE_STORAGE_CONNECTION_STRING": None, "AZURE_STORAGE_KEY": AZURITE_KEY,
    }  # fmt: skip
    cases: list[tuple[str, str, dict[str, str | None], str]] = [
        (world.destination, nowhere, {"AWS_ENDPOINT_URL_S3": nowhere}, "E000-SOURCE"),
        (f"{nowhere}/{AZURITE_ACCOUNT}/files", nowhere, {}, "E000-DESTINATION"),
        ("https://nosuchaccount.blob.core.invalid/files", "nosuchaccount", account, "E000-DESTINATION"),
    ]
    started = [
        world.start("plan", "--source", world.source, "--destination", destination, "--list", "--json",
                    "--checkpoint", f"{number}.db", env=env)
        for number, (destination, _, env, _) in enumerate(cases)
    ]
    for process, (_, named, _, code) in zip(started, cases, strict=True):
        error = the_error(process.ended(2), code)
        assert named in error["message"]
        assert error["cause"]
    assert list(world.desk.iterdir()) == []


@pytest.mark.parametrize(("side", "code"), [("S3", "E000-SOURCE"), ("Azure", "E000-DESTINATION")])
def test_a_server_that_stays_away_stops_the_copy_and_what_was_not_tried_stays_pending(
    outages: dict[str, Outage], side: str, code: str
) -> None:
    outage = outages[side]
    run = outage.ended()
    error = the_error(run, code)
    assert error["cause"]
    summary = run.summary
    assert summary["next"] == "blobmove copy --resume"
    assert summary["planned"] == sum(summary["outcomes"].values()) == OBJECTS
    assert summary["outcomes"]["failed"] == 0
    assert summary["outcomes"]["copied"] >= 3
    assert summary["outcomes"]["pending"] == OBJECTS - summary["outcomes"]["copied"]
    assert states(outage.world.checkpoint)["pending"] == summary["outcomes"]["pending"]


@pytest.mark.parametrize("side", ["S3", "Azure"])
def test_the_copy_goes_on_when_the_server_is_back(outages: dict[str, Outage], side: str) -> None:
    outage = outages[side]
    outage.ended()
    outage.come_back()
    summary = outage.world.copy()
    assert summary["outcomes"]["copied"] + summary["outcomes"]["present"] == summary["planned"] == OBJECTS
    assert outage.world.run("verify", "--json").document["identical"] == OBJECTS
    outage.world.assert_moved("files/000.pdf", f"files/{OBJECTS - 1:03d}.pdf")
