"""A server that dies in the middle of a copy: the run rides out a short outage and stops for a long one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from blobmove.demo.servers import azurite, moto
from tests.acceptance.checkpoint_file import states
from tests.acceptance.refusals import the_error
from tests.acceptance.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blobmove.demo.child import Server
    from tests.acceptance.commands import Process, Run

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

OBJECTS = 60
SLOWLY = ("--bandwidth", "60K", "--concurrency", "24")


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
def outages(tmp_path_factory: pytest.TempPathFactory, azurite_home: Path) -> Iterator[dict[str, Outage]]:
    """Both sides go away at the same time in two copies that run side by side: each takes its time to give up."""
    servers: list[Server] = []
    found: dict[str, Outage] = {}
    try:
        for side in ("S3", "Azure"):
            folder = tmp_path_factory.mktemp(f"outage-{side}")
            s3, azure = moto(folder), azurite(folder, azurite_home, keep=folder / "blobs")
            for server in (s3, azure):
                server.start()
                servers.append(server)
            world = World.create(folder, s3.url, azure.url)
            world.put_many(OBJECTS, size=4000)
            world.plan()
            process = world.start("copy", "--resume", "--json", *SLOWLY)
            process.until(lambda w=world: w.settled() >= 3, "some objects copied")  # type: ignore[misc]
            found[side] = Outage(world, s3 if side == "S3" else azure, process)
            if side == "S3":
                s3.kill()
            else:
                azure.stop()  # as good as a kill for the copy; killed, Azurite would lose its last seconds
        yield found
    finally:
        for server in servers:
            server.stop()


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
