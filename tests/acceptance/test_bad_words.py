"""Databases that do not fit, services nobody knows, and words that are misspelt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.app_database import AppDatabase
from tests.acceptance.refusals import refused
from tests.acceptance.world import World, noise

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

FLIP = ("flip-service", "--to", "azure")
CONFIRMED = (*FLIP, "--confirm", "azure")


@pytest.fixture(scope="module")
def planned(shared_world: World) -> World:
    """A plan of three objects that rows name, copied and verified."""
    keys = shared_world.put_many(3)
    app = shared_world.database()
    for key in keys:
        app.add(key, noise(key, 100))
    shared_world.plan()
    shared_world.copy()
    shared_world.run("verify")
    return shared_world


@pytest.mark.parametrize("words", [("plan", "--list"), (*FLIP, "--dry-run"), CONFIRMED])
def test_a_database_without_the_table(planned: World, tmp_path: Path, words: tuple[str, ...]) -> None:
    app = AppDatabase(tmp_path / "other.sqlite3")
    app.execute("CREATE TABLE users (id INTEGER)")
    error = refused(planned, *words, code="E404-TABLE", exit_code=2, env={"DATABASE_URL": app.url})
    assert "active_storage_blobs" in error["message"]


@pytest.mark.parametrize("words", [("plan", "--list"), (*FLIP, "--dry-run"), CONFIRMED])
def test_a_database_of_rails_before_6_1(planned: World, tmp_path: Path, words: tuple[str, ...]) -> None:
    app = AppDatabase.create(tmp_path / "old.sqlite3", "6.0")
    before = app.dump()
    error = refused(planned, *words, code="E410-SERVICE-NAME", exit_code=2, env={"DATABASE_URL": app.url})
    assert "service_name" in error["message"]
    assert app.dump() == before


def test_a_database_file_that_is_not_there_is_not_created(planned: World, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.sqlite3"
    url = f"sqlite3:{path}"
    refused(planned, *FLIP, "--dry-run", code="E404-DATABASE-FILE", exit_code=2, env={"DATABASE_URL": url})
    assert not path.exists()


def test_a_database_url_that_makes_no_sense_is_not_shown(planned: World) -> None:
    planned.terminal.secrets.append("s3cr3t-w0rd")
    url = "oracle://rails:s3cr3t-w0rd@db/production"
    refused(planned, *FLIP, "--dry-run", code="E400-DATABASE-URL", exit_code=2, env={"DATABASE_URL": url})


def test_a_database_server_that_cannot_be_reached(planned: World) -> None:
    planned.terminal.secrets.append("s3cr3t-w0rd")
    url = "mysql2://rails:s3cr3t-w0rd@127.0.0.1:1/production"
    refused(planned, *FLIP, "--dry-run", code="E000-DATABASE", exit_code=2, env={"DATABASE_URL": url})


def test_no_database_at_all(planned: World) -> None:
    error = refused(planned, *FLIP, "--dry-run", code="E400-DATABASE-URL", exit_code=2, env={"DATABASE_URL": None})
    assert "DATABASE_URL" in error["hint"]


@pytest.mark.parametrize("words", [(*FLIP, "--dry-run"), CONFIRMED])
def test_an_unknown_service_is_named_with_those_there_are(planned: World, words: tuple[str, ...]) -> None:
    error = refused(planned, *words, "--from", "amazn", code="E404-SERVICE", exit_code=2)
    assert "'amazon' (3 rows)" in error["cause"]
    assert "did you mean --from amazon?" in error["hint"]


def test_a_flip_that_nobody_confirms_changes_nothing(planned: World) -> None:
    refused(planned, *FLIP, code="E412-CONFIRM", exit_code=3)
    refused(planned, *FLIP, "--confirm", "azur", code="E400-CONFIRM", exit_code=2)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("cpoy",), "`copy`"),
        (("copy", "--resum"), "`--resume`"),
        (("plan", "--inventry", "x"), "`--inventory`"),
        (("verify", "--hwo", "read"), "`--how`"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_one_that_was_meant(
    planned: World, words: tuple[str, ...], meant: str
) -> None:
    run = planned.run(*words, expect=2)
    assert "[E400-USAGE]" in run.err
    assert "hint: did you mean" in run.err
    assert meant in run.err
    assert run.out == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("copy", "--block-size", "12 apples"), "--block-size"),
        (("copy", "--if-exists", "replace"), "--if-exists"),
        (("verify", "--sample", "0"), "--sample"),
        (("plan", "--source", "my-bucket"), "s3://BUCKET"),
        (("plan", "--destination", "https://acme.dfs.core.windows.net/files"), "acme.blob.core.windows.net"),
        (("report", "--objects", "objects.xlsx"), "objects.csv"),
        (("plan", "--list", "--keys", "-"), "exclude each other"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_opened(
    planned: World, words: tuple[str, ...], told: str
) -> None:
    run = planned.run(*words, expect=2)
    assert told in run.err
    assert "hint: " in run.err


def test_a_misspelt_setting_in_the_file_is_answered_with_the_one_that_was_meant(planned: World) -> None:
    (planned.desk / "my.toml").write_text("[copy]\nconcurency = 4\n")
    run = planned.run("copy", "--config", "my.toml", expect=2)
    assert "concurrency" in run.err
    assert "my.toml" in run.err
