"""Fifty thousand objects in short: shapes that must hold for ten million. No times are asserted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Final

import pytest

from blobmove.checkpoint.file import connect
from blobmove.checkpoint.planning import Planned, PlanStage
from blobmove.checkpoint.reader import CheckpointReader
from blobmove.checkpoint.writer import CheckpointWriter
from blobmove.core.model import Proof, State
from blobmove.core.selection import Selection, decide
from tests.cloud.control import Cloud
from tests.scale import tables
from tests.scale.building import BUCKET, settle
from tests.scale.campaign import COPIED, Figures, put_pending
from tests.scale.company import Item, outcomes
from tests.scale.watching import Desk

CONTAINER: Final = "files"
SMALL, LARGE = 5_000, 50_000
LEFT: Final = 300
MIB: Final = 2**20
_BATCH: Final = 5000


def plan(path: Path, rows: int) -> None:
    """A checkpoint of so many objects through the code that `plan` uses."""
    with CheckpointWriter(path, "plan", create=True) as writer, PlanStage(writer) as stage:
        for start in range(0, rows, _BATCH):
            items = [Item(number) for number in range(start, min(rows, start + _BATCH))]
            stage.add_rails([(item.key, item.facts(), True) for item in items if item.rails])
            stage.add([planned(item) for item in items])
        stage.close_list()
        stage.adopt(plan="plan-1", source=f"s3://{BUCKET}", destination=f"http://127.0.0.1:1/account/{CONTAINER}",
                    planned_at="2026-11-22T03:00:00Z", settings={}, sizing={})


def planned(item: Item) -> Planned:
    version = item.listed()
    return Planned(version, decide(version, Selection(), None), Proof.ETAG_MD5, item.rails)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints, a small and a large one, in both of which so many objects are left; and the large one's size."""
    folder = tmp_path_factory.mktemp("scale")
    for rows in (SMALL, LARGE):
        path = folder / str(rows) / "blobmove.db"
        path.parent.mkdir()
        plan(path, rows)
        (folder / f"{rows}-planned").write_text(str(path.stat().st_size))
        settle(path, LEFT)
    return folder


@pytest.fixture
def checkpoint(folder: Path) -> Path:
    return folder / str(LARGE) / "blobmove.db"


def test_an_object_takes_less_than_200_bytes_planned_and_settled(folder: Path, checkpoint: Path) -> None:
    assert int((folder / f"{LARGE}-planned").read_text()) / LARGE < 200
    assert checkpoint.stat().st_size / LARGE < 200
    with CheckpointReader(checkpoint) as reader:
        assert reader.totals().objects[State.COPIED] > LARGE * 0.99
        assert all(told[field] is not None for told in copied(reader) for field in ("md5", "blob_etag", "content_type"))


def copied(reader: CheckpointReader) -> list[dict[str, object]]:
    """Some of the copied rows, as the view tells them."""
    rows = reader.db.execute("SELECT md5, blob_etag, content_type FROM object WHERE state = 'copied' LIMIT 100")
    return [dict(zip(("md5", "blob_etag", "content_type"), row, strict=True)) for row in rows]


@contextmanager
def statements(db: Connection) -> Iterator[list[str]]:
    """What is asked meanwhile, with its values."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    try:
        yield asked
    finally:
        db.set_trace_callback(None)


def ways(db: Connection, asked: list[str]) -> str:
    """How SQLite goes about these, the tables of a few rows left out."""
    told = [
        str(step[3]) for sql in asked if re.match(r"\s*(SELECT|UPDATE|INSERT|DELETE)", sql)
        for step in db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    ]
    return "\n".join(way for way in told if not re.search(r"\b(tally|run|word|setup)\b", way))


QUESTIONS: Final[dict[str, tuple[Callable[[CheckpointReader], object], str]]] = {
    "the first page of work": (lambda reader: reader.pending(-1, 1000), "object_open "),
    "a later page of work": (lambda reader: reader.pending(2**61, 1000), "object_open "),
    "large objects": (lambda reader: reader.pending_large((2**50, -1), 100), "object_open_large "),
    "what is not well": (lambda reader: reader.unwell(1000), "object_aside "),
    "copied blobs in pages": (lambda reader: reader.proven_page(-1, 2000), "INTEGER PRIMARY KEY"),
    "copied blobs not looked at": (lambda reader: reader.proven_page(-1, 2000, 7), "INTEGER PRIMARY KEY"),
    "copied blobs by name": (lambda reader: reader.proven_by_name(["a", "b"]), "object_renamed "),
    "the ledger of the flip": (lambda reader: reader.proven(["a", "b"]), "INTEGER PRIMARY KEY"),
    "the report": (lambda reader: next(reader.records()), "INTEGER PRIMARY KEY"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_looks_through_the_whole_table_nor_sorts(checkpoint: Path, name: str) -> None:
    question, index = QUESTIONS[name]
    with CheckpointReader(checkpoint) as reader:
        with statements(reader.db) as asked:
            question(reader)
        told = ways(reader.db, asked)
    assert index in f"{told} "
    assert "SCAN" not in told
    assert "TEMP B-TREE" not in told


def test_status_reads_no_object_but_those_it_shows(checkpoint: Path) -> None:
    with CheckpointReader(checkpoint) as reader:
        with statements(reader.db) as asked:
            reader.totals(), reader.tally("reason"), reader.tally("proof"), reader.last_run("copy")
            reader.plan_started(), reader.last_verify_passed(), reader.setup()
        assert "object" not in ways(reader.db, asked)


def test_the_writer_finds_its_rows_by_number_or_index(folder: Path) -> None:
    path = folder / str(SMALL) / "blobmove.db"
    with CheckpointReader(path) as reader, CheckpointWriter(path, "copy") as writer:
        few = reader.pending(-1, 3)
        with statements(writer.db) as asked:
            writer.settle(outcomes(few[:1]))
            writer.mark_verified([few[0].id], [few[1].id])
            writer.reopen()
    with closing(connect(path, write=False)) as db:
        told = ways(db, asked)
    assert "USING INTEGER PRIMARY KEY" in told
    assert "object_differs " in f"{told} "
    assert "object_aside " in f"{told} "
    assert "SCAN object_row" not in told


def test_memory_of_a_copy_does_not_grow_with_the_plan(folder: Path, cloud: Cloud) -> None:
    """Forty MiB are more than SQLite keeps of the file, and less than rows take that somebody holds on to."""
    peaks = {}
    for rows in (SMALL, LARGE):
        cloud.reset()
        cloud.bucket(BUCKET)
        cloud.container(CONTAINER)
        desk = Desk(folder / str(rows), cloud)
        with CheckpointWriter(desk.folder / "blobmove.db", "plan") as writer:
            writer.db.execute("UPDATE setup SET destination = ?", (cloud.destination(CONTAINER),))
        put_pending(desk, LEFT)
        seen = desk("copy", "--resume", "--yes", "-q").require(0, 1)
        assert cloud.counts().azure.requests["PutBlob"] >= LEFT * 0.9, seen.err
        peaks[rows] = seen.rss
    assert 0 < peaks[SMALL] < 300 * MIB
    assert peaks[LARGE] < peaks[SMALL] + 40 * MIB


def test_the_figures_are_told_between_the_markers_of_a_page(tmp_path: Path) -> None:
    figures: dict[str, float | int] = {
        "copy at 1000.rss": 90 * MIB, f"copy at {LARGE}.rss": 100 * MIB, "first request, half settled.seconds": 0.7,
        "first request, last rows pending.seconds": 0.8, "status.seconds": 0.4, "verify, first request.seconds": 0.6,
        "pending.bytes_per_row": 125.0, "settled.bytes_per_row": 147.5, "planned again.bytes_per_row": 148.0,
    }  # fmt: skip
    for name in ("plan", "status"):
        figures |= {f"{name}.seconds": 1.5, f"{name}.cpu_seconds": 1.25, f"{name}.rss": 50 * MIB}
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    tables.put_into(page, tables.markdown(Figures(LARGE, rails=True, figures=figures, conditions={"when": "today"})))
    told = page.read_text()
    assert told.startswith(f"before\n{tables.BEGIN}\n")
    assert told.endswith(f"{tables.END}\nafter\n")
    assert "old" not in told
    assert "90 MiB at 1,000, 100 MiB at 50,000" in told
    assert "| 200 bytes an object | 147.5 |" in told
    assert f"only the last {COPIED:,} pending | 3 s | 0.8 s |" in told


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text")
    with pytest.raises(ValueError, match="has no"):
        tables.put_into(page, "figures")
    assert page.read_text() == "text"
