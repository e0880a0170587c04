"""SIGKILL at moments chosen by chance: the journal equals the truth, nothing is flipped twice or forgotten."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from blobmove.checkpoint.file import connect
from blobmove.checkpoint.journal import FlipJournal
from tests.database.application import Operator
from tests.database.flip_child import BATCH

ROOT = Path(__file__).parents[2]
ROWS = 200
KILLS = 3


def run_child(url: str, checkpoint: Path, lines: int | None) -> None:
    """Let it run to its end, or kill it once it has written so many lines."""
    command = [sys.executable, "-m", "tests.database.flip_child", url, str(checkpoint)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        heard: list[str] = []
        for line in child.stdout:
            heard.append(line.strip())
            if lines is not None and len(heard) >= lines:
                child.kill()
                break
    assert lines is not None or heard[-1] == "done"


def test_a_flip_that_is_killed_again_and_again_ends_as_if_it_never_was(operator: Operator, tmp_path: Path) -> None:
    application = operator.application
    application.add_many(range(1, ROWS + 1))
    application.add(ROWS + 1, "of another service", "local")
    before = application.table()
    checkpoint = tmp_path / "blobmove.db"
    connect(checkpoint, write=True, create=True).close()
    chance = random.Random(f"{application.server.kind} 7")

    for _ in range(KILLS):
        run_child(application.url, checkpoint, chance.randint(1, 2 * ROWS // BATCH // KILLS))
        flipped = [row for row, name in application.names().items() if name == "azure"]
        assert len(flipped) % BATCH == 0
    run_child(application.url, checkpoint, None)

    names = application.names()
    assert sorted(set(names.values())) == ["azure", "local"]
    connection = connect(checkpoint, write=True)
    operator.journal = FlipJournal(connection)
    truth = {row for row, name in names.items() if name == "azure"}
    batches = [batch for run in operator.journal.runs() for batch in operator.journal.batches_to_undo(run.id)]
    journaled = [row for batch in batches for row in batch.ids]
    assert operator.journal.unsettled() == []
    assert sorted(journaled) == sorted(truth)
    for run in reversed(operator.journal.runs()):
        operator.undoes(str(run.id))
    assert application.table() == before
    connection.close()
