"""The flip while the application works: prepared ahead in a thread, load obeyed, writers not kept waiting."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from blobmove.core.errors import BlobmoveError, RefusedError, UsageError
from blobmove.core.events import FlipProgress, Note
from blobmove.core.flipping import DatabaseTrouble, ServerFacts, Trouble
from blobmove.core.settings import FlipSettings
from blobmove.operations.flip_born import write_born
from blobmove.operations.flip_doors import Approval
from blobmove.stores.rails.database import RailsDatabase
from blobmove.stores.rails.statements import among_numbers, read_one_value
from tests.database.application import YES, Application, Operator
from tests.database.conftest import MakeOperator
from tests.database.test_flip_trouble import Killed, around, at_call, dies
from tests.servers.replicas import until


def fill(operator: Operator, rows: int) -> None:
    operator.book.enter(*operator.application.add_many(range(1, rows + 1)))


def states(operator: Operator) -> list[str]:
    return [event.state for event in operator.events if isinstance(event, FlipProgress)]


class TestAhead:
    """With a second connection the next batch is prepared while the one before is being changed."""

    @pytest.fixture
    def operator(self, make_operator: MakeOperator) -> Operator:
        operator = make_operator()
        operator.ahead = True
        fill(operator, 12)
        return operator

    def test_the_next_batch_is_on_disk_before_its_update_and_never_more_than_one(self, operator: Operator) -> None:
        seen: list[int] = []

        def look(_call: int) -> None:
            flipped = list(operator.application.names().values()).count("azure")
            assert journaled() >= flipped + 3  # its own batch
            until(lambda: journaled() == min(12, flipped + 6))  # and the next one, prepared meanwhile
            seen.append(flipped)

        def journaled() -> int:
            ((rows,),) = operator.checkpoint.execute("SELECT coalesce(sum(row_count), 0) FROM flip_batch").fetchall()
            return int(rows)

        operator.checkpoint = _shared(operator)
        result = operator.flips(wrap=around("flip", before=look), batch_size=3)
        assert (result.flipped, result.batches) == (12, 4)
        assert seen == [0, 3, 6, 9]

    @pytest.mark.parametrize("moment", ["before", "after"], ids=["before the update", "after the commit"])
    @pytest.mark.parametrize("call", [1, 3])
    def test_a_crash_leaves_at_most_two_batches_in_doubt_and_the_rows_answer(
        self, operator: Operator, moment: str, call: int
    ) -> None:
        before = operator.application.table()
        with pytest.raises(Killed):
            operator.flips(batch_size=3, wrap=around("flip", **{moment: at_call(call, dies)}))
        assert 1 <= len(operator.journal.unsettled()) <= 3
        operator.flips(batch_size=3)
        assert set(operator.application.names().values()) == {"azure"}
        assert sum(run.flipped for run in operator.journal.runs()) == 12
        for run in reversed(operator.journal.runs()):
            operator.undoes(str(run.id))
        assert operator.application.table() == before

    def test_a_limit_counts_the_batch_under_way(self, operator: Operator) -> None:
        result = operator.flips(batch_size=3, limit=7)
        assert (result.flipped, result.remaining) == (7, 5)

    def test_a_stop_leaves_the_prepared_batch_alone(self, operator: Operator) -> None:
        operator.stop = lambda: len(operator.slept) >= 1
        result = operator.flips(batch_size=3)
        assert (result.flipped, result.remaining, result.stopped) == (3, 9, "interrupted")
        assert operator.journal.unsettled() == []
        assert operator.journal.count_to_undo(1) == 3

    def test_an_undo_reads_ahead_as_well(self, operator: Operator) -> None:
        before = operator.application.table()
        operator.flips(batch_size=5)
        assert operator.undoes(batch_size=2).flipped == 12
        assert operator.application.table() == before

    def test_the_second_connection_must_reach_the_same_server(self, operator: Operator) -> None:
        facts = RailsDatabase.facts
        answers: list[ServerFacts] = []

        def differs(database: RailsDatabase) -> ServerFacts:
            answers.append(facts(database))
            return answers[-1] if len(answers) == 1 else answers[-1].__class__("other", False, False, None)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RailsDatabase, "facts", differs)
            with pytest.raises(RefusedError) as raised:
                operator.flips()
        assert raised.value.code == "E412-SERVER"
        assert set(operator.application.names().values()) == {"amazon"}


def _shared(operator: Operator) -> Any:  # noqa: ANN401
    """A second look at the journal from the thread of the UPDATE: the same data, in a file."""
    import sqlite3

    from blobmove.checkpoint.journal import FlipJournal

    file = sqlite3.connect("file:journal?mode=memory&cache=shared", uri=True, isolation_level=None,
                           check_same_thread=False)
    operator.checkpoint.backup(file)
    operator.checkpoint.close()
    operator.journal = FlipJournal(file)
    return file


def fails_over(to: str) -> Callable[[RailsDatabase], RailsDatabase]:
    """The connection is lost in the second batch, and afterwards another server answers."""

    def wrap(database: RailsDatabase) -> RailsDatabase:
        facts, lost = database.facts, [False]

        def told() -> ServerFacts:
            found = facts()
            return ServerFacts(to, False, False, found.position) if lost[0] else found

        def loses() -> None:
            lost[0] = True
            raise DatabaseTrouble(Trouble.LOST, "2013", "Lost connection during query")

        database.facts = told  # type: ignore[method-assign]
        return around("flip", before=at_call(2, loses))(database)

    return wrap


def test_after_a_fail_over_any_server_goes_on_and_the_journal_names_the_new_one(operator: Operator) -> None:
    fill(operator, 6)
    approval = Approval(confirmed=True, any_server=True)
    result = operator.flips(approval, wrap=fails_over("the standby"), batch_size=2)
    assert result.flipped == 6
    notes = [event.text for event in operator.events if isinstance(event, Note)]
    assert any("is another server now (the standby" in note and "--any-server" in note for note in notes)
    servers = operator.checkpoint.execute("SELECT number, server FROM flip_batch ORDER BY number").fetchall()
    assert servers == [(1, None), (2, None), (3, "the standby")]


def test_without_any_server_a_fail_over_ends_the_run_with_the_way_out(operator: Operator) -> None:
    fill(operator, 6)
    with pytest.raises(RefusedError) as raised:
        operator.flips(wrap=fails_over("the standby"), batch_size=2)
    assert raised.value.code == "E412-SERVER"
    assert "--any-server" in str(raised.value.hint)
    assert list(operator.application.names().values()).count("azure") == 2


def test_a_replica_is_written_to_only_when_told(operator: Operator) -> None:
    fill(operator, 1)

    def wrap(database: RailsDatabase) -> RailsDatabase:
        facts = database.facts
        database.facts = lambda: ServerFacts(facts().identity, False, True, None)  # type: ignore[method-assign]
        return database

    with pytest.raises(RefusedError) as raised:
        operator.flips(wrap=wrap)
    assert "--allow-replica" in str(raised.value.hint)
    assert operator.flips(Approval(confirmed=True, replica=True), wrap=wrap).flipped == 1


@dataclass
class Load:
    """Threads that are said to run, one number a look."""

    numbers: list[int]
    asked: int = 0

    def __call__(self, database: RailsDatabase) -> RailsDatabase:
        def running() -> int:
            self.asked += 1
            return self.numbers[min(self.asked, len(self.numbers)) - 1]

        database.threads_running = running  # type: ignore[method-assign]
        return database


def test_the_flip_waits_while_the_server_is_busy_and_says_so(operator: Operator) -> None:
    fill(operator, 4)
    operator.tick = 1.0
    result = operator.flips(wrap=Load([1, 1, 30, 26, 25]), batch_size=2, sleep_ratio=0.0, max_threads_running=25)
    assert result.flipped == 4
    assert [state for state in states(operator) if state.startswith("waiting")] == [
        "waiting: 30 threads are running (--max-threads-running 25)",
        "waiting: 26 threads are running (--max-threads-running 25)",
    ]


def test_above_the_critical_load_the_flip_ends_and_can_be_resumed(operator: Operator) -> None:
    fill(operator, 6)
    operator.tick = 1.0
    result = operator.flips(wrap=Load([1, 1, 51]), batch_size=2, sleep_ratio=0.0, critical_threads_running=50)
    assert (result.flipped, result.remaining) == (2, 4)
    assert result.stopped == "51 threads are running (--critical-threads-running 50)"
    assert operator.journal.unsettled() == []
    assert operator.flips().flipped == 4


def test_a_lag_query_that_answers_null_waits_and_one_that_answers_words_is_refused(operator: Operator) -> None:
    fill(operator, 4)
    operator.tick = 1.0
    operator.application.execute("CREATE TABLE heartbeat (lag float)")
    operator.application.execute("INSERT INTO heartbeat VALUES (NULL)")
    operator.while_asleep = lambda: len(operator.slept) == 2 and operator.application.execute(
        "UPDATE heartbeat SET lag = 0.5"
    )
    assert operator.flips(lag_query="SELECT lag FROM heartbeat", batch_size=4).flipped == 4
    assert states(operator)[:2] == [
        "waiting: the lag of --lag-query is unknown (replication stopped, or no answer)"
    ] * 2
    with pytest.raises(UsageError) as raised:
        operator.flips(lag_query="SELECT 'late'")
    assert raised.value.code == "E400-LAG"


def test_a_lag_without_anything_to_ask_is_refused_except_where_the_writer_knows(operator: Operator) -> None:
    fill(operator, 1)
    if operator.application.server.kind == "postgresql":
        assert operator.flips(max_lag=5.0).flipped == 1
        return
    with pytest.raises(UsageError) as raised:
        operator.flips(max_lag=5.0)
    assert raised.value.code == "E400-LAG"
    assert "--replica-url-file" in str(raised.value.hint)
    assert operator.application.names() == {1: "amazon"}


def test_the_running_threads_of_a_real_server_are_counted(operator: Operator) -> None:
    with operator.application.database() as database:
        if operator.application.server.kind == "sqlite":
            with pytest.raises(BlobmoveError):
                database.threads_running()
        else:
            assert database.threads_running() >= 1


def test_a_dry_run_tells_what_the_server_says_and_asks_nothing_to_change(operator: Operator) -> None:
    fill(operator, 9)
    before = operator.application.table()
    result = operator.flips(Approval(), dry_run=True, batch_size=4)
    assert operator.application.table() == before
    assert (result.batches, result.first_id, result.last_id, result.sample_key) == (3, "1", "9", "file-1")
    assert result.outlook is not None
    assert any("active_storage_blobs" in step for step in result.outlook.explain)
    assert result.outlook.missing == ()
    kind = operator.application.server.kind
    session = dict(result.outlook.session)
    if kind == "mariadb":
        assert "READ-COMMITTED" in (session.get("tx_isolation"), session.get("transaction_isolation"))
        assert session["innodb_lock_wait_timeout"] == "5"
        assert result.log_bytes == 9 * 370
    if kind == "postgresql":
        assert (session["transaction_isolation"], session["lock_timeout"]) == ("read committed", "5s")
        assert any(grant.startswith("UPDATE (") and "service_name" in grant for grant in result.outlook.grants)
    assert not any("password" in grant.lower() for grant in result.outlook.grants)


def test_rows_born_on_the_new_service_are_listed_and_those_of_the_journal_are_not(
    operator: Operator, tmp_path: Path
) -> None:
    fill(operator, 3)
    operator.flips(limit=2)
    operator.application.add(7, "born here", "azure")
    operator.application.add(8, "also\nborn", "azure")
    result = operator.flips(Approval(), dry_run=True)
    assert (result.born, result.born_examples) == (2, ("7 born here", "8 also\nborn"))
    with operator.application.database() as database:
        doors = operator.doors(database)
        told = write_born(doors, "azure", tmp_path / "born.jsonl")
        assert (told.rows, told.bytes) == (2, 18)
        with pytest.raises(UsageError, match="line break"):
            write_born(doors, "azure", tmp_path / "born.txt")
    lines = (tmp_path / "born.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["born here", "also\nborn"]


def test_rows_an_undo_has_put_back_and_someone_has_moved_again_count_as_journaled(operator: Operator) -> None:
    fill(operator, 2)
    operator.flips()
    operator.undoes()
    operator.application.set_service(1, "azure")
    assert operator.flips(Approval(), dry_run=True).born == 0


def test_a_target_that_differs_by_case_from_a_name_of_the_table_is_pointed_out(operator: Operator) -> None:
    fill(operator, 1)
    operator.application.add(9, "x", "Azure")
    operator.flips(Approval(), dry_run=True)
    assert any(isinstance(event, Note) and "'Azure' is named" in event.text for event in operator.events)


def test_each_batch_keeps_the_position_of_the_server_s_log(operator: Operator) -> None:
    fill(operator, 6)
    operator.flips(batch_size=2)
    positions = [row[0] for row in operator.checkpoint.execute("SELECT position FROM flip_batch ORDER BY number")]
    if operator.application.server.kind == "sqlite":
        assert positions == [None] * 3
    else:
        assert None not in positions
        assert len(set(positions)) == 3


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_a_user_with_exactly_the_two_rights_flips_without_positions(operator: Operator) -> None:
    application = operator.application
    fill(operator, 4)
    application.execute("CREATE OR REPLACE USER flipper IDENTIFIED BY 'secret'")
    application.execute("GRANT SELECT, UPDATE (service_name) ON active_storage_blobs TO flipper")
    place = application.url.split("@", 1)[1]
    application.url = f"mysql2://flipper:secret@{place}"
    try:
        dry = operator.flips(Approval(), dry_run=True)
        assert dry.outlook is not None
        assert dry.outlook.missing == ()
        assert any("SELECT, UPDATE (`service_name`)" in grant for grant in dry.outlook.grants)
        assert not any("IDENTIFIED" in grant for grant in dry.outlook.grants)
        operator.ahead = True
        assert operator.flips(batch_size=2, max_threads_running=1000).flipped == 4
        assert operator.undoes().flipped == 4
        assert operator.checkpoint.execute("SELECT DISTINCT position FROM flip_batch").fetchall() == [(None,)]
    finally:
        application.execute("DROP USER flipper")


def test_conditions_name_exactly_the_ids_and_ranges_only_where_no_number_is_left_out() -> None:
    assert among_numbers([3, 1, 2]) == "id IN (1, 2, 3)"
    assert among_numbers([*range(10, 30), 40]) == "id BETWEEN 10 AND 29 OR id IN (40)"
    assert among_numbers([*range(10, 30), *range(31, 40)]) == "id BETWEEN 10 AND 29 OR id BETWEEN 31 AND 39"
    scattered = [one for one in range(2000) if one % 10]
    assert "BETWEEN" not in among_numbers(scattered)
    assert among_numbers([]) == "1 = 0"


def test_a_row_between_the_chosen_ones_is_never_changed(operator: Operator) -> None:
    """Also one that appears between reading and changing: ids are no proof of age."""
    application = operator.application
    fill(operator, 20)
    application.purge(10)
    wrap = around("flip", before=at_call(1, lambda: application.add(10, "born in the gap")))
    assert operator.flips(wrap=wrap).flipped == 19
    assert application.names()[10] == "amazon"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((1, 20, "1\x003\x00s\x00\x01\x00ke"), "cut by the server"),
        ((1, 12, "1\x003\x00s\x00\x01\x00k\x00x\x00"), "zero bytes in the key"),
    ],
)
def test_a_page_in_one_value_that_does_not_add_up_is_read_again_row_by_row(
    row: tuple[int, int, str], why: str
) -> None:
    assert read_one_value(row, numbers=True) is None, why


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_keys_with_zero_bytes_and_a_server_that_cuts_long_values_change_nothing_in_what_is_read(
    operator: Operator,
) -> None:
    application = operator.application
    keys = ["a\x00b", "7Dq", "😀", "x" * 250]
    for number, key in enumerate(keys, start=1):
        application.add(number, key, checksum=None if number == 2 else "GsHvAelsrxvg0ykzGk/CqA==")
    with application.database() as database:
        plain = database.candidates(None, 10, ["amazon"])
        assert [row.key for row in plain] == keys
        assert [row.checksum is None for row in plain] == [False, True, False, False]
        application.purge(1)
        packed = database.candidates(None, 10, ["amazon"])
        with database._transaction() as connection:
            connection.exec_driver_sql("SET SESSION group_concat_max_len = 100")
        assert database.candidates(None, 10, ["amazon"]) == packed == plain[1:]


@dataclass
class Writer:
    """The application, inserting blobs and changing others in its own transactions, with a stop-watch."""

    application: Application
    first: int
    rows: int
    stop: threading.Event = field(default_factory=threading.Event)
    waits: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __call__(self) -> None:
        connection = self.application.server.connect(self.application.url)
        number = self.first
        try:
            while not self.stop.is_set():
                number += 1
                began = time.monotonic()
                self.application.execute(
                    f"INSERT INTO active_storage_blobs (id, {self.application.key_column}, filename, service_name,"
                    f" byte_size, created_at) VALUES ({number}, 'born-{number}', 'f', 'azure', 1, '2026-11-01')",
                    connection=connection,
                )
                row = 1 + (number * 7919) % self.rows
                self.application.execute(
                    f"UPDATE active_storage_blobs SET metadata = '{number}' WHERE id = {row}", connection=connection
                )
                self.waits.append(time.monotonic() - began)
                time.sleep(0.002)
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()


@pytest.mark.database
@pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True)
def test_writers_meet_no_error_and_no_lock_of_a_second_while_rows_are_flipped(operator: Operator) -> None:
    """How long they wait is measured by tests/database/test_flip_speed.py (heavy); here: no deadlock, no time-out."""
    rows = 4000
    operator.application.execute(many_rows(operator.application, rows))
    operator.book.enter(*(f"file-{number}" for number in range(1, rows + 1)))
    operator.ahead = True
    writers = [Writer(operator.application, 10**6 * number, rows) for number in (1, 2)]
    threads = [threading.Thread(target=writer) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        result = operator.flips(batch_size=500, sleep_ratio=0.0)
    finally:
        for writer in writers:
            writer.stop.set()
        for thread in threads:
            thread.join()
    assert [writer.errors for writer in writers] == [[], []]
    assert all(writer.waits for writer in writers)
    assert result.flipped == rows


def many_rows(application: Application, rows: int) -> str:
    """One INSERT of rows of keys file-<number> without checksum."""
    values = ", ".join(
        f"({number}, 'file-{number}', 'f.pdf', 'amazon', {len(f'file-{number}')}, '2026-11-01 12:00:00')"
        for number in range(1, rows + 1)
    )
    columns = f"id, {application.key_column}, filename, service_name, byte_size, created_at"
    return f"INSERT INTO active_storage_blobs ({columns}) VALUES {values}"


def test_settings_of_the_flip_name_a_batch_of_five_thousand() -> None:
    assert (FlipSettings().batch_size, YES.any_server, YES.replica) == (5000, False, False)
