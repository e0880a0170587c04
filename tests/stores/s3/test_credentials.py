"""Credentials: static keys are taken from the environment as the SDK takes them, all others are left to the SDK."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from botocore.credentials import EnvProvider, RefreshableCredentials
from botocore.exceptions import PartialCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import AccessError, UsageError
from blobmove.stores.s3.control import S3Control, S3Settings, static_credentials
from blobmove.stores.s3.presign import Credentials

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}
LATER, EARLIER = "2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
ENVIRONMENTS = st.fixed_dictionaries({}, optional={
    **{name: st.sampled_from(("", "one", "other")) for name in NAMES},
    "AWS_CREDENTIAL_EXPIRATION": st.sampled_from(("", LATER)),
    "AWS_PROFILE": st.just("work"),
})  # fmt: skip
SETTINGS = S3Settings("files", region="eu-central-1")


@given(ENVIRONMENTS)
def test_static_keys_are_those_the_sdk_reads_and_all_else_is_its_business(environ: dict[str, str]) -> None:
    ours = static_credentials(environ)
    try:
        theirs = EnvProvider(environ).load()
    except PartialCredentialsError:
        assert ours is None, "half a pair is the SDK's to complain about"
        return
    if theirs is None or isinstance(theirs, RefreshableCredentials):
        assert ours is None, "the SDK has to look elsewhere, or to renew them"
    else:
        assert ours == Credentials(theirs.access_key, theirs.secret_key, theirs.token)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the profiles `default` and `work`, no variable of AWS, and no machine that hands out keys."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("".join(
        f"[{name}]\naws_access_key_id = AKIA{name.upper()}\naws_secret_access_key = {name}-secret\n"
        for name in ("default", "work")
    ))  # fmt: skip
    return tmp_path


def environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


async def found() -> Credentials:
    async with S3Control(SETTINGS) as control:
        return await control.credentials()


@pytest.mark.usefixtures("home")
async def test_keys_in_the_environment_come_before_a_profile_that_is_named_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment(monkeypatch, **KEYS, AWS_PROFILE="work")
    assert await found() == Credentials("AKIAENV", "env-secret")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("profile", "key"), [({}, "AKIADEFAULT"), ({"AWS_PROFILE": "work"}, "AKIAWORK")])
async def test_without_keys_in_the_environment_the_profile_decides(
    profile: dict[str, str], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, **profile)
    assert (await found()).access_key == key


@pytest.mark.usefixtures("home")
async def test_keys_that_expire_are_renewed_by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, **KEYS, AWS_SESSION_TOKEN="for-a-while", AWS_CREDENTIAL_EXPIRATION=LATER)
    async with S3Control(SETTINGS) as control:
        assert await control.credentials() == Credentials("AKIAENV", "env-secret", "for-a-while")
        assert control._session is not None, "the SDK was asked"


@pytest.mark.usefixtures("home")
async def test_keys_that_have_expired_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, **KEYS, AWS_CREDENTIAL_EXPIRATION=EARLIER)
    with pytest.raises(AccessError) as caught:
        await found()
    assert caught.value.code == "E401-SOURCE"


async def test_without_any_credentials_the_ways_to_give_some_are_told(home: Path) -> None:
    (home / ".aws" / "credentials").unlink()
    with pytest.raises(AccessError) as caught:
        await found()
    assert caught.value.code == "E401-SOURCE"
    assert "AWS_PROFILE" in (caught.value.hint or "")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("values", [
    {"AWS_PROFILE": "nosuch"}, {"AWS_ACCESS_KEY_ID": "AKIAHALF"}, KEYS | {"AWS_CREDENTIAL_EXPIRATION": "at noon"},
    {"AWS_CONFIG_FILE": __file__},
], ids=["no such profile", "half a pair", "no moment", "no settings file"])  # fmt: skip
async def test_settings_that_the_sdk_cannot_use_are_told_as_one_error(
    values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, **values)
    with pytest.raises(UsageError) as caught:
        await found()
    assert (caught.value.code, caught.value.exit_code) == ("E400-AWS", 2)
    assert caught.value.cause
    assert caught.value.hint


async def test_a_program_that_should_give_credentials_and_does_not_is_a_matter_of_access(home: Path) -> None:
    (home / ".aws" / "credentials").unlink()
    (home / ".aws" / "config").write_text("[default]\ncredential_process = false\n")
    with pytest.raises(AccessError) as caught:
        await found()
    assert (caught.value.code, caught.value.exit_code) == ("E401-SOURCE", 4)
    assert caught.value.cause
    assert caught.value.hint


@pytest.mark.usefixtures("home")
async def test_static_keys_and_a_known_address_need_no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aiobotocore.session", "botocore.exceptions", "botocore.session"):
        monkeypatch.setitem(sys.modules, name, None)  # whoever imports it now fails
    environment(monkeypatch, **KEYS)
    known = S3Settings("files", region="eu-central-1", base="https://files.s3.eu-central-1.amazonaws.com/")
    async with S3Control(known) as control:
        assert await control.credentials() == Credentials("AKIAENV", "env-secret")
        assert await control.base() == known.base


@pytest.mark.usefixtures("home")
async def test_settings_of_the_sdk_that_only_one_object_needs_do_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment(monkeypatch, **KEYS, AWS_PROFILE="nosuch")
    known = S3Settings("files", region="eu-central-1", base="https://files.s3.eu-central-1.amazonaws.com/")
    async with S3Control(known) as control:
        assert await control._head_headers("key", None, None) == {}, "nobody can read them, and the object notes it"
