"""What concerns the whole run, in the operator's words: a code, a cause, something to do, an exit code."""

from __future__ import annotations

import pytest

from blobmove.core.circuit import Doubt
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.model import Outcome, State
from blobmove.operations.troubles import explain, general

SOURCE, DESTINATION = Side.SOURCE, Side.DESTINATION


@pytest.mark.parametrize(("side", "kind", "code", "told", "exit_code"), [
    (SOURCE, Kind.EXPIRED, "ExpiredToken", "E401-SOURCE", 4),
    (DESTINATION, Kind.EXPIRED, "AuthenticationFailed", "E401-DESTINATION", 4),
    (SOURCE, Kind.STOP_ACCESS, "InvalidAccessKeyId", "E403-SOURCE", 4),
    (SOURCE, Kind.DENIED, "AccessDenied", "E403-SOURCE", 4),
    (DESTINATION, Kind.STOP_ACCESS, "AuthorizationFailure", "E403-DESTINATION", 4),
    (SOURCE, Kind.STOP_CONFIG, "NoSuchBucket", "E404-BUCKET", 2),
    (DESTINATION, Kind.STOP_CONFIG, "ContainerNotFound", "E404-CONTAINER", 2),
    (DESTINATION, Kind.STOP_CONFIG, "ContainerBeingDeleted", "E404-CONTAINER", 2),
    (SOURCE, Kind.STOP_CONFIG, "PermanentRedirect", "E400-SOURCE", 2),
    (DESTINATION, Kind.STOP_CONFIG, "AccountIsDisabled", "E400-DESTINATION", 2),
    (SOURCE, Kind.UNREACHABLE, "ConnectionFailed", "E000-SOURCE", 2),
    (DESTINATION, Kind.TRANSIENT, "InternalError", "E000-DESTINATION", 2),
    (SOURCE, Kind.THROTTLED, "SlowDown", "E000-SOURCE", 2),
])
def test_a_general_answer_has_a_code_and_a_cause(
    side: Side, kind: Kind, code: str, told: str, exit_code: int
) -> None:
    error = explain(StoreError(side, kind, code, "some words"))
    assert (error.code, error.exit_code, error.cause) == (told, exit_code, f"{code}: some words")
    assert not error.message.endswith(".")
    doubt = Doubt(Outcome(1, State.FAILED), side, kind, code, "some words")
    assert vars(general(doubt)) == vars(error)


def test_a_cause_without_words_is_the_code_alone() -> None:
    assert explain(StoreError(SOURCE, Kind.DENIED, "Http403")).cause == "Http403"
