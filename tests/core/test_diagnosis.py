"""What `doctor` decides from numbers: each bound from both sides, and the exit code of many findings."""

from __future__ import annotations

import pytest

from blobmove.core.diagnosis import (
    CLOCK_FAILS,
    CLOCK_WARNS,
    INVENTORY_WARNS,
    ROOM_AN_OBJECT,
    ROOM_AT_LEAST,
    SOCKETS_WANTED,
    Area,
    Diagnosis,
    Finding,
    Level,
    clock,
    disk,
    failed,
    grants,
    handles,
    inventory,
    silent,
)
from blobmove.core.errors import AccessError, RefusedError, UsageError

OK = Finding(Area.MACHINE, "x", Level.OK, "well")
WARN = Finding(Area.MACHINE, "x", Level.WARNING, "so-so")
ABSENT = Finding(Area.SOURCE, "x", Level.ABSENT, "not configured")
USAGE = failed(Area.SOURCE, "x", UsageError("E404-BUCKET", "none"))
ACCESS = failed(Area.SOURCE, "x", AccessError("E403-SOURCE", "no"))
REFUSED = failed(Area.SOURCE, "x", RefusedError("E422-MANIFEST", "torn"))


def diagnosis(*findings: Finding) -> Diagnosis:
    return Diagnosis(None, None, "blobmove.db", findings, 1.0)


@pytest.mark.parametrize(("findings", "code"), [
    ((), 0), ((OK, ABSENT), 0), ((OK, WARN), 1), ((REFUSED,), 1), ((WARN, USAGE), 2), ((USAGE, ACCESS, WARN), 4),
    ((silent(Area.DATABASE, "x", 15),), 2),
])
def test_the_gravest_finding_decides_the_exit_code(findings: tuple[Finding, ...], code: int) -> None:
    assert diagnosis(*findings).exit_code == code


def test_every_finding_is_counted_once() -> None:
    found = diagnosis(OK, OK, WARN, ABSENT, USAGE)
    assert [found.count(level) for level in Level] == [2, 1, 1, 1]


@pytest.mark.parametrize(("offset", "level"), [
    (0.0, Level.OK), (-1.9, Level.OK), (CLOCK_WARNS - 1, Level.OK), (CLOCK_WARNS, Level.WARNING),
    (-CLOCK_FAILS + 1, Level.WARNING), (CLOCK_FAILS, Level.FAILURE), (-CLOCK_FAILS, Level.FAILURE),
])
def test_a_clock_is_well_until_it_drifts_and_fails_where_signatures_do(offset: float, level: Level) -> None:
    found = clock(Area.SOURCE, "S3", offset)
    assert found.level is level
    assert (found.code == "E412-CLOCK") is (level is Level.FAILURE)


def test_a_clock_is_told_from_this_machine_s_side() -> None:
    assert clock(Area.SOURCE, "S3", 120.0).text == "2 min behind S3"
    assert clock(Area.DESTINATION, "Azure", -120.0).text == "2 min ahead of Azure"


def test_an_inventory_is_old_after_two_days() -> None:
    assert inventory("CSV", INVENTORY_WARNS - 1).level is Level.OK
    found = inventory("CSV", INVENTORY_WARNS)
    assert (found.level, found.text) == (Level.WARNING, "CSV, 2 d old")


def test_the_disk_must_hold_the_next_plan() -> None:
    assert disk("/", ROOM_AT_LEAST, 0).level is Level.OK
    assert disk("/", ROOM_AT_LEAST - 1, 0).level is Level.WARNING
    objects = 10_000_000
    assert disk("/", objects * ROOM_AN_OBJECT, objects).level is Level.OK
    found = disk("/", objects * ROOM_AN_OBJECT - 1, objects)
    assert found.level is Level.WARNING
    assert "10,000,000 objects" in found.cause


def test_too_few_open_files_name_the_requests_that_are_left() -> None:
    assert handles(None).level is handles(SOCKETS_WANTED).level is Level.OK
    found = handles(256)
    assert found.level is Level.WARNING
    assert "at most 115 are in flight" in found.cause


def test_grants_are_enough_for_plan_or_for_both() -> None:
    assert grants((), "mysql://db/acme").level is Level.OK
    found = grants(("UPDATE (service_name)",), "mysql://db/acme")
    assert found.hint.startswith("GRANT UPDATE (service_name) ON active_storage_blobs")
