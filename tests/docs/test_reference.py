"""The page of errors has every code and every reason of the source, with the right exit code, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from blobmove.checkpoint.reader import RECORD_FIELDS
from blobmove.core import errors
from blobmove.core.crew import WorkerShown
from blobmove.core.events import FlipProgress, Note, Problem, Started, Stopping, Throttled
from blobmove.core.model import ARCHIVED, Proof, State
from blobmove.core.results import Effort
from blobmove.views.jsonl import (
    doctor_document,
    event_document,
    flip_document,
    plan_document,
    runs_document,
    status_document,
    summary_document,
    verify_document,
)
from blobmove.views.metrics import Metrics
from tests.docs.pages import PACKAGE, read, rows
from tests.views import examples

PAGE = "docs/reference/errors.md"
CODE = re.compile(r"E\d{3}-[A-Z]+(?:-[A-Z]+)*")
KEBAB = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
WIRE = re.compile(
    r"(?:x-|content-|cache-|if-|aws-|user-|utf-|last-|flip-|read-only|read-back|etag-md5|multipart-etag|rails-md5\Z)"
    r".*"
)
"""Words with hyphens that are no reasons: headers, encodings, a command, a role, the proofs."""

DECIDING = ("names", "selection", "headers", "flipping", "gate", "reverse")
"""Modules of core whose functions answer with a reason."""

ANSWERING = ("refusal", "refusal_back", "_which", "_skip_reason", "gate", "_checksum_gate")
"""Functions that return a reason, also one without a hyphen."""

COUNTS = (
    "outcomes", "outcome_bytes", "reasons", "proofs", "notes", "skipped", "refused", "storage_classes", "by_service",
    "proven_by_service", "other_services", "examples", "s3", "azure", "figures",
)
"""Fields that count by a name which is not a field."""

OF_CLICK = {"E400-USAGE": 2, "E400-FILE": 2, "E130-INTERRUPTED": 130, "E500-BUG": 70, "E507-DISK": 2}
"""Codes of cli.failures, where the exit code stands beside the code."""


@cache
def trees() -> dict[str, ast.Module]:
    return {path.relative_to(PACKAGE).with_suffix("").as_posix(): ast.parse(path.read_text(encoding="utf-8"))
            for path in PACKAGE.rglob("*.py")}


def codes_of(node: ast.expr) -> Iterator[str]:
    """The codes that an argument can stand for: text, or text with a side of the copy in it."""
    if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value)):
        yield str(node.value)
    if isinstance(node, ast.JoinedStr) and re.fullmatch(r"E\d{3}-", str(getattr(node.values[0], "value", ""))):
        for side in errors.Side:
            yield f"{getattr(node.values[0], 'value', '')}{side.upper()}"


def raised() -> dict[str, set[int]]:
    """Code -> exit codes, of every error that is made with a class of core.errors."""
    classes = {name: kind.exit_code for name, kind in vars(errors).items()
               if isinstance(kind, type) and issubclass(kind, errors.BlobmoveError)}
    found: dict[str, set[int]] = {code: {number} for code, number in OF_CLICK.items()}
    for tree in trees().values():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
            name = getattr(call.func, "id", "")
            for code in codes_of(call.args[0]) if name in classes else ():
                found.setdefault(code, set()).add(classes[name])
    return found


def mentioned() -> set[str]:
    """Every code that the source spells out, wherever it stands."""
    return {code for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.Constant)
            and isinstance(node.value, str) and CODE.fullmatch(node.value) for code in [node.value]}


def told() -> dict[str, int]:
    """Code -> exit code, as the page has them in its tables with an exit column."""
    return {row[0].strip("`"): int(row[1]) for row in rows(read(PAGE))
            if CODE.fullmatch(row[0].strip("`")) and row[1].isdigit()}


def returned(tree: ast.Module) -> Iterator[str]:
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if function.name in ANSWERING:
            for answer in (node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value):
                yield from (str(node.value) for node in ast.walk(answer)
                            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip())


def written_down(tree: ast.Module) -> Iterator[str]:
    """What is assigned to `refused[...]`, also a word without a hyphen."""
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Assign)):
        target = node.targets[0]
        if isinstance(target, ast.Subscript) and getattr(target.value, "attr", "") == "refused":
            yield from (value.value for value in ast.walk(node.value)
                        if isinstance(value, ast.Constant) and isinstance(value.value, str))


def hyphened(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and KEBAB.fullmatch(value) and not WIRE.fullmatch(value):
            yield value


def reasons() -> set[str]:
    """Every reason and note that core decides or the engine and the flip add."""
    found = {ARCHIVED}
    for name, tree in trees().items():
        floor, _, module = name.partition("/")
        if (floor == "core" and module in DECIDING) or floor == "engine" or module.startswith("flip"):
            found |= {*returned(tree), *written_down(tree), *hyphened(tree)}
    return found


def test_every_error_code_of_the_source_is_on_the_page_with_its_exit_code() -> None:
    assert {code: exits for code, exits in raised().items() if {told().get(code)} != exits} == {}


def test_every_code_that_the_source_mentions_is_on_the_page() -> None:
    assert mentioned() - told().keys() == set()


def test_the_page_has_no_code_that_the_source_has_not() -> None:
    assert told().keys() - raised().keys() - mentioned() == set()


def test_the_search_for_codes_finds_those_made_for_either_side() -> None:
    assert {"E401-SOURCE", "E401-DESTINATION", "E409-STARTED", "E412-VERIFY", "E423-CHECKPOINT"} <= raised().keys()


def test_every_reason_and_note_of_the_source_is_on_the_page() -> None:
    on_the_page = {row[0].strip("`") for row in rows(read(PAGE))}
    assert {"excluded", "renamed", "locked", "metadata-name", "destination-differs", "not-in-plan"} <= reasons()
    assert reasons() - on_the_page == set()


def test_the_page_of_json_has_every_field_of_a_record_every_state_and_every_proof() -> None:
    text = read("docs/reference/json.md")
    names = [*RECORD_FIELDS, *(str(state) for state in State), *(str(proof) for proof in Proof)]
    assert [name for name in names if f"`{name}`" not in text] == []


def fields(document: object) -> Iterator[str]:
    """The names of a document's fields and of those within; counts by name have no names of their own."""
    if isinstance(document, list):
        for inner in document:
            yield from fields(inner)
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            if name not in COUNTS:
                yield from fields(value)


def test_the_page_of_json_has_every_field_of_every_document() -> None:
    documents = [
        doctor_document(examples.DIAGNOSIS), plan_document(replace(examples.PLAN, change=examples.CHANGED_PLAN)),
        summary_document(examples.SUMMARY),
        status_document(examples.STATUS), verify_document(examples.VERIFY), flip_document(examples.FLIP),
        runs_document(examples.RUNS), event_document(examples.SAMPLE), event_document(Note("")),
        event_document(Problem("", "", "", "")), event_document(Throttled("", "", 0.0, 1)),
        event_document(Stopping("", 0)), event_document(FlipProgress(1, 1, 0, "", 0.0)),
        event_document(Started("", "", "", "", "", examples.TOTALS, 1, 1)),
    ]
    told = {word for name in re.findall(r"`([\w.\[\]]+)`", read("docs/reference/json.md"))
            for word in name.replace("[]", "").split(".")}
    assert set(fields(documents)) - told - {"format", "type"} == set()


def test_the_page_of_metrics_has_every_series_with_its_kind_and_labels_and_no_other() -> None:
    metrics = Metrics()
    worker = WorkerShown("tcp://10.0.0.5:4000", "", 0.0, 0.0, 0, 1)
    effort = Effort(1, 1, 1, {"GetObject": 1}, {"PutBlob": 1}, {"SlowDown": 1}, {"ServerBusy": 1})
    metrics(Started("", "", "", "", "", examples.TOTALS, 1, 1))
    metrics(Throttled("source", "SlowDown", 0.0, 1))
    metrics(replace(examples.SAMPLE, effort=effort, workers=(worker,)))
    served = {(sample.name, family.type, tuple(sample.labels)) for family in metrics.collect()
              for sample in family.samples}
    page = {(row[0].strip("`"), row[1], tuple(re.findall(r"`(\w+)`", row[2])))
            for row in rows(read("docs/reference/metrics.md")) if row[0].startswith("`")}
    assert page == served
