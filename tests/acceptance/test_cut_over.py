"""The cut-over page, typed line by line: every command of it, in its order, with an application at work."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.world import noise
from tests.docs.pages import commands, read

if TYPE_CHECKING:
    from tests.acceptance.app_database import AppDatabase
    from tests.acceptance.commands import Run
    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

PAGE = "docs/how-to/cut-over.md"
ROWS = 25


def sections() -> dict[str, list[str]]:
    """Heading without its number -> the commands below it."""
    parts = re.split(r"^## (?:\d+\. )?(.+)$", read(PAGE), flags=re.MULTILINE)
    return {heading: commands(text) for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


class Typist:
    """Types what the page says, with this world's bucket and container in the place of the page's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sections = sections()
        self.typed: list[str] = []

    def types(self, heading: str, *codes: int) -> list[Run]:
        """All commands of a section; `codes` are the exit codes of those that are blobmove's."""
        runs, expected = [], list(codes)
        for line in self._sections.pop(heading):
            self.typed.append(line)
            words = [self._here(word) for word in shlex.split(line)]
            if words[0] == "blobmove":
                runs.append(self._world.run(*words[1:], expect=expected.pop(0)))
            else:
                subprocess.run(line, shell=True, check=True, cwd=self._world.desk)  # noqa: S602 - the page's own line
        assert expected == []
        return runs

    def left(self) -> dict[str, list[str]]:
        """What has not been typed."""
        return {heading: lines for heading, lines in self._sections.items() if lines}

    def _here(self, word: str) -> str:
        if word.startswith("s3://"):
            return self._world.source
        return self._world.destination if word.startswith("https://") else word


def upload(world: World, app: AppDatabase, number: int, service: str = "amazon") -> None:
    key, body = f"key{number:03d}", noise(f"key{number}", 100 + number)
    if service == "amazon":
        world.put(key, body)
    else:
        world.put_blob(key, body)
    app.add(key, body, service)


def test_every_command_of_the_page_works_in_its_place_and_the_way_back_leads_back(world: World) -> None:
    app, typist = world.database(), Typist(world)
    world.blobs.create_container()
    for number in range(ROWS):
        upload(world, app, number)
    typist.types("Copy what is new, again and again", 0, 0, 0)
    typist.types("Verify", 0)
    (look,) = typist.types("Look at the flip", 0)
    assert "ActiveStorage::Blob.services.fetch(" in look.out
    assert f"Would flip {ROWS} rows" in look.out
    before = app.dump()

    canary, _runs, back = typist.types("A canary, and its way back", 6, 0, 0)
    assert "Flipped 20 rows" in canary.out
    assert "Took back 20 rows" in back.out
    assert app.dump() == before

    upload(world, app, 100)                     # late, on S3
    upload(world, app, 101, "azure")            # born on Azure after the default was switched
    typist.types("The last copy", 0, 0, 0)
    late = app.dump()
    typist.types("Flip", 0, 0)
    assert set(app.services().values()) == {"azure"}
    (sweep,) = typist.types("Sweep", 0)
    assert (sweep.document["rows"], sweep.document["born"]) == (0, 1)

    born, ahead, brought, _runs, undone, _plan, _copy, _verify, last = typist.types("Back", *[0] * 9)
    assert "1 row" in born.out
    lines = (world.desk / "born.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["key101"]
    assert "Would copy 1 object" in ahead.out
    assert "back in S3 and proven" in brought.out
    assert world.s3.get_object(Bucket=world.bucket, Key="key101")["Body"].read() == world.body("key101")
    assert f"Took back {ROWS + 1} rows" in undone.out
    assert "Flipped 1 row" in last.out
    assert app.dump() == [line.replace("'azure'", "'amazon'") for line in late], "and nothing else has changed"
    typist.types("Afterwards", 0, 0)
    assert typist.left() == {}
