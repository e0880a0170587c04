"""No case is forgotten: the file is the one that was given, and every id in it has a test of its own."""

from __future__ import annotations

import importlib
import json
from collections import Counter

import pytest

from tests.cases.argued import ARGUED
from tests.cases.catalogue import CASES, FILE, SHOWN, Case
from tests.cloud.content import digest, from_recipe

GIVEN = FILE.parents[3] / "shared" / "cases" / FILE.name


def test_every_case_has_a_test() -> None:
    for module in sorted(FILE.parent.glob("test_*.py")):
        importlib.import_module(f"{__package__}.{module.stem}")
    assert {*CASES} - SHOWN == set()
    assert len(CASES) == len(json.loads(FILE.read_text(encoding="utf-8"))["cases"]), "no id twice"


def test_what_is_argued_are_cases_and_each_has_its_reason() -> None:
    assert {*ARGUED} <= {*CASES}
    assert all(len(reason) > 40 and "(" in reason for reason in ARGUED.values()), "with its source"


def test_the_cases_are_those_they_were_copied_from_where_these_lie_beside_the_checkout() -> None:
    cases = json.loads(FILE.read_text(encoding="utf-8"))
    given = json.loads(GIVEN.read_text(encoding="utf-8")) if GIVEN.exists() else cases
    assert cases == given, f"{FILE} and {GIVEN} differ"


@pytest.mark.parametrize("case", [case for case in CASES.values() if "md5_hex" in case.told and not case.heavy],
                         ids=lambda case: case.id)
def test_the_body_of_a_case_is_the_one_its_md5_names(case: Case) -> None:
    assert digest(from_recipe(case.told["content"], case.size), "MD5").hex() == case.md5


def test_heavy_are_the_cases_that_say_so() -> None:
    assert [case.id for case in CASES.values() if case.heavy] == ["S17", "S19", "F09"]


def test_the_groups_are_those_the_modules_know() -> None:
    found = Counter(case.group for case in CASES.values())
    assert sum(found.values()) == 112
    assert {*found} == {
        "size", "key", "headers", "metadata", "tags", "tier", "glacier", "encryption", "integrity", "fault", "bucket",
        "inventory", "activestorage",
    }  # fmt: skip
