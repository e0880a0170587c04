"""The flip on real servers: who is flipped, who is not, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from blobmove.core.errors import RefusedError, UsageError
from blobmove.core.events import FlipProgress, Note, Problem
from blobmove.core.model import State
from blobmove.operations.flip_doors import Approval
from tests.database.application import Operator, fill
from tests.database.conftest import MakeOperator
from tests.database.test_flip_trouble import around, at_call


def test_rows_whose_files_are_proven_name_the_new_service_and_no_other_column_changes(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 26)))
    operator.application.add(90, "of another service", "local")
    before = operator.application.table()

    result = operator.flips(batch_size=10)

    assert (result.rows, result.flipped, result.refused, result.remaining) == (25, 25, {}, 0)
    assert result.batches == 3
    assert set(operator.application.names().values()) == {"azure", "local"}
    changed = [tuple("amazon" if value == "azure" else value for value in row) for row in operator.application.table()]
    assert changed == before


def test_undo_brings_back_a_byte_identical_table(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 26)))
    operator.application.add(90, "born on azure", "azure")
    before = operator.application.table()
    flipped = operator.flips(batch_size=10)
    assert operator.application.table() != before

    result = operator.undoes()

    assert (result.undo_of, result.rows, result.flipped, result.refused) == (flipped.run, 25, 25, {})
    assert operator.application.table() == before


def test_undoing_twice_changes_nothing_more(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 4)))
    operator.flips()
    operator.undoes("1")
    assert operator.undoes("1").rows == 0
    with pytest.raises(UsageError) as raised:
        operator.undoes("last")
    assert raised.value.code == "E404-RUN"


def test_undo_restores_each_rows_own_old_name_and_only_rows_that_still_carry_the_new_one(operator: Operator) -> None:
    keys = [*operator.application.add_many([1, 2, 3]), *operator.application.add_many([4, 5], "mirror")]
    operator.book.enter(*keys)
    operator.flips(from_services=("amazon", "mirror"))
    operator.application.set_service(2, "elsewhere")
    operator.application.purge(5)
    operator.application.add(6, "born on azure", "azure")

    result = operator.undoes()

    assert result.refused == {"changed-meanwhile": 1, "purged": 1}
    assert operator.application.names() == {1: "amazon", 2: "elsewhere", 3: "amazon", 4: "mirror", 6: "azure"}


def test_a_dry_run_changes_neither_table_nor_journal_and_foretells_the_real_run(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 13)))
    operator.application.add(20, "not in the plan")
    before = operator.application.table()

    foretold = operator.flips(Approval(), dry_run=True, batch_size=5)

    assert operator.application.table() == before
    assert operator.journal.runs() == []
    assert foretold.dry_run
    assert foretold.run is None
    assert "UPDATE active_storage_blobs SET service_name = 'azure' WHERE id IN (1, 2, 3)" in foretold.statement
    assert foretold.by_service == {"amazon": 13}
    assert foretold.proven_by_service == {"amazon": 12}
    real = operator.flips(batch_size=5)
    assert (real.rows, real.flipped, real.refused) == (foretold.rows, foretold.flipped, foretold.refused)


def test_every_row_that_cannot_be_proven_is_refused_by_reason_and_told_by_id(operator: Operator) -> None:
    add, enter = operator.application.add, operator.book.enter
    add(1, "good")
    add(2, "composed", checksum=None)
    enter("good", "composed")
    add(3, "unknown")
    add(4, "pending")
    enter("pending", state=State.PENDING)
    add(5, "size", byte_size=999)
    add(6, "checksum", checksum="GsHvAelsrxvg0ykzGk/CqA==")
    add(7, "hex", checksum="1ac1ef01e96caf1be0d329331a4fc2a8")
    enter("size", "checksum", "hex")
    add(8, "renamed")
    enter("renamed", blob_name="other")
    add(9, "back\\slash")
    enter("back\\slash")

    result = operator.flips()

    assert result.refused == {
        "not-in-plan": 1, "not-copied": 1, "size-differs": 1, "checksum-differs": 1, "checksum-unreadable": 1,
        "renamed": 1, "refused-name": 1,
    }  # fmt: skip
    assert [row for row, name in operator.application.names().items() if name == "azure"] == [1, 2]
    assert result.examples["size-differs"] == ("5 size",)
    assert {event.code for event in operator.events if isinstance(event, Problem)} == set(result.refused)


def test_a_second_run_finds_nothing_left_and_a_sweep_takes_the_stragglers(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 4)))
    operator.flips()
    assert operator.flips().rows == 0
    operator.book.enter(*operator.application.add_many([50]))
    assert operator.flips().flipped == 1
    assert operator.flips(from_services=()).rows == 0


def test_a_limit_and_a_list_of_ids_flip_a_canary_and_count_the_rest_as_remaining(
    operator: Operator, tmp_path: Path
) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 11)))
    first = operator.flips(limit=3, batch_size=2)
    assert (first.flipped, first.remaining) == (3, 7)
    assert [number for number, name in operator.application.names().items() if name == "azure"] == [1, 2, 3]

    ids = tmp_path / "ids"
    ids.write_text("# the canary\n7\n9\n\n3\n4711\n")
    second = operator.flips(ids=ids)
    assert (second.flipped, second.remaining) == (2, 5)
    assert [number for number, name in operator.application.names().items() if name == "azure"] == [1, 2, 3, 7, 9]
    assert any(isinstance(event, Note) and event.text.startswith("2 of the ids") for event in operator.events)
    assert second.next.startswith("blobmove flip-service --from amazon --to azure --batch-size 5000")
    assert "--ids" not in second.next


@pytest.mark.parametrize("line", ["x'); DROP TABLE", "1_0", "+1", "１", "1,2", "1.0", "1\f2", "9" * 30, "id"])
def test_an_id_that_cannot_be_one_is_refused_before_anything_changes(
    operator: Operator, tmp_path: Path, line: str
) -> None:
    """Python would read `1_0` as ten."""
    fill(operator, 10)
    (tmp_path / "ids").write_text(f"1\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"line 2 of .*ids: .* is not an id") as raised:
        operator.flips(ids=tmp_path / "ids")
    assert raised.value.code == "E400-IDS"
    assert set(operator.application.names().values()) == {"amazon"}


def test_a_file_of_ids_from_another_system_is_read_and_an_empty_one_refused(
    operator: Operator, tmp_path: Path
) -> None:
    fill(operator, 3)
    ids = tmp_path / "ids"
    ids.write_text("# nothing yet\n\n")
    with pytest.raises(UsageError, match="holds no id"):
        operator.flips(ids=ids)
    ids.write_bytes("\ufeff1\r\n\t3 \r\n3\r\n".encode())
    assert operator.flips(ids=ids).flipped == 2
    assert operator.application.names() == {1: "azure", 2: "amazon", 3: "azure"}


def test_uuid_tables_flip_and_come_back(make_operator: MakeOperator) -> None:
    operator = make_operator(key_type="uuid")
    operator.book.enter(*operator.application.add_many(range(1, 24)))
    before = operator.application.table()
    assert operator.flips(batch_size=5).flipped == 23
    assert set(operator.application.names().values()) == {"azure"}
    assert operator.undoes().flipped == 23
    assert operator.application.table() == before


def test_rails_6_1_tables_flip_as_well(make_operator: MakeOperator) -> None:
    operator = make_operator(rails="6.1")
    operator.book.enter(*operator.application.add_many(range(1, 4)))
    assert operator.flips().flipped == 3


def test_several_services_flip_together_and_each_batch_keeps_its_old_names(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many([1, 3]), *operator.application.add_many([2, 4], "mirror"))
    result = operator.flips(from_services=("amazon", "mirror"))
    assert result.by_service == {"amazon": 2, "mirror": 2}
    batches = [(batch.old, batch.ids) for batch in operator.journal.batches_to_undo(1)]
    assert batches == [("amazon", (1, 3)), ("mirror", (2, 4))]


def test_the_only_other_service_needs_no_from_and_two_do(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many([1, 2]))
    assert operator.flips(Approval(), from_services=(), dry_run=True).from_services == ("amazon",)
    operator.application.add_many([3], "mirror")
    with pytest.raises(UsageError) as raised:
        operator.flips(from_services=())
    assert raised.value.code == "E400-FROM"
    assert raised.value.hint == "--from amazon --from mirror"


def test_an_unknown_from_is_refused_with_the_names_there_are(operator: Operator) -> None:
    operator.application.add_many([1])
    with pytest.raises(UsageError) as raised:
        operator.flips(from_services=("Amazon",))
    assert raised.value.code == "E404-SERVICE"
    assert "'amazon' (1 rows)" in str(raised.value.cause)
    assert "--from amazon?" in str(raised.value.hint)


def test_nothing_happens_without_a_verification_or_a_confirmation(operator: Operator) -> None:
    operator.book.enter(*operator.application.add_many([1]))
    with pytest.raises(RefusedError) as raised:
        operator.flips(Approval())
    assert raised.value.code == "E412-CONFIRM"
    operator.book.verified = False
    with pytest.raises(RefusedError) as raised:
        operator.flips()
    assert (raised.value.code, raised.value.hint) == ("E412-VERIFY", "blobmove verify")
    operator.flips(Approval(), dry_run=True)
    assert any(isinstance(event, Note) and "blobmove verify" in event.text for event in operator.events)
    assert operator.application.names() == {1: "amazon"}
    assert operator.flips(skip_verify=True).flipped == 1


def test_the_pause_after_a_batch_is_as_long_as_asked_and_the_progress_says_why_it_waits(
    operator: Operator, tmp_path: Path
) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 5)))
    pause = tmp_path / "pause"
    pause.touch()
    operator.while_asleep = lambda: pause.unlink(missing_ok=True)
    result = operator.flips(batch_size=2, sleep_ratio=3.0, pause_file=pause)

    assert result.flipped == 4
    assert operator.slept[0] == 1.0
    assert operator.slept[1:] == pytest.approx([0.03, 0.03])
    states = [event.state for event in operator.events if isinstance(event, FlipProgress)]
    assert states[0] == f"paused while {pause} exists"


def test_a_stop_file_and_an_interrupt_end_the_run_after_the_batch_at_hand(operator: Operator, tmp_path: Path) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 7)))
    operator.stop = lambda: len(operator.slept) >= 1
    interrupted = operator.flips(batch_size=2)
    assert (interrupted.flipped, interrupted.remaining, interrupted.stopped) == (2, 4, "interrupted")
    operator.stop = lambda: False
    (tmp_path / "stop").touch()
    stopped = operator.flips(batch_size=2, stop_file=tmp_path / "stop")
    assert (stopped.flipped, stopped.remaining) == (0, 4)
    assert stopped.stopped == f"stop file {tmp_path / 'stop'}", "views.flip_text says to remove it"
    assert operator.flips(batch_size=2).flipped == 4


def test_sql_for_a_dba_does_what_the_flip_would_do_and_its_undo_takes_it_back(
    operator: Operator, tmp_path: Path
) -> None:
    operator.book.enter(*operator.application.add_many(range(1, 8)), "it's \\ here")
    operator.application.add(9, "plain")
    before = operator.application.table()
    result = operator.flips(Approval(), sql=tmp_path / "flip.sql", batch_size=3, to_service="az'ure\\x")
    assert (result.flipped, result.refused, result.dry_run) == (7, {"not-in-plan": 1}, True)
    assert (result.script, result.undo_script) == (str(tmp_path / "flip.sql"), str(tmp_path / "flip.undo.sql"))
    assert operator.application.table() == before
    for statement in (tmp_path / "flip.sql").read_text().splitlines():
        operator.application.execute(statement.rstrip(";"))
    assert sorted(operator.application.names().values()) == ["amazon"] + ["az'ure\\x"] * 7
    for statement in (tmp_path / "flip.undo.sql").read_text().splitlines():
        operator.application.execute(statement.rstrip(";"))
    assert operator.application.table() == before


def test_sql_for_a_dba_waits_and_locks_as_the_flip_itself(operator: Operator, tmp_path: Path) -> None:
    """At MySQL's own isolation a range would block the INSERT of every new blob."""
    fill(operator, 3)
    operator.flips(Approval(), sql=tmp_path / "flip.sql")
    *settings, update = (tmp_path / "flip.sql").read_text().splitlines()
    assert update.startswith("UPDATE active_storage_blobs")
    assert any("READ COMMITTED" in one for one in settings) == (operator.application.server.kind != "sqlite")
    assert any("lock" in one and "timeout = " in one for one in settings) == bool(settings)
    assert (tmp_path / "flip.undo.sql").read_text().splitlines()[:-1] == settings


@pytest.mark.parametrize("name", ["flip.sql", "flip.undo.sql"])
def test_sql_never_writes_over_the_way_back_of_statements_that_were_run(
    operator: Operator, tmp_path: Path, name: str
) -> None:
    fill(operator, 3)
    (tmp_path / name).write_text("kept")
    with pytest.raises(RefusedError) as raised:
        operator.flips(Approval(), sql=tmp_path / "flip.sql")
    assert raised.value.code == "E409-FILE"
    assert [(file.name, file.read_text()) for file in tmp_path.glob("*.sql")] == [(name, "kept")]


def test_sql_that_an_error_has_cut_short_is_not_left_behind(operator: Operator, tmp_path: Path) -> None:
    fill(operator, 4)
    gone = around("candidates", before=at_call(2, lambda: operator.application.execute(
        "ALTER TABLE active_storage_blobs RENAME TO blobs_of_old")))  # fmt: skip
    with pytest.raises(UsageError, match="there is no table active_storage_blobs"):
        operator.flips(Approval(), sql=tmp_path / "flip.sql", batch_size=2, wrap=gone)
    assert list(tmp_path.glob("*.sql")) == []
