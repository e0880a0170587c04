"""One clear error: how a refused command must look, and that it has changed nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.acceptance.checkpoint_file import dump
from tests.acceptance.shapes import ERROR, assert_shape

if TYPE_CHECKING:
    from tests.acceptance.commands import Run
    from tests.acceptance.world import World


def refused(world: World, *words: str, code: str, exit_code: int, **how: Any) -> dict[str, Any]:  # noqa: ANN401
    """Type a command that must fail with this code; the error as a document.

    It is told once, to people and to scripts, with a hint; what the checkpoint holds is the same afterwards.
    """
    existed = world.checkpoint.exists()
    before = dump(world.checkpoint) if existed else None
    run = world.run(*words, "--json", expect=exit_code, **how)
    error = the_error(run, code)
    if existed:
        assert dump(world.checkpoint) == before, "the checkpoint has changed"
    else:
        assert list(world.desk.iterdir()) == [], "something was left behind"
    return error


def the_error(run: Run, code: str) -> dict[str, Any]:
    """The one error a command ended with: told to people and to scripts, with a hint."""
    error = run.document
    assert_shape(error, ERROR)
    assert error["code"] == code, error
    assert [line["type"] for line in run.lines if line.get("type") == "error"] == ["error"]
    assert f"error: {error['message']} [{code}]\n" in run.err
    assert error["hint"], f"no hint: {error}"
    assert f"hint: {error['hint'].splitlines()[0]}" in run.err
    assert error["message"] == error["message"].rstrip("."), "one sentence without a full stop"
    return error
