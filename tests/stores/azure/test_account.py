"""Credentials for Azure: found in the documented order, for the right account, and never shown."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

from blobmove.core.errors import AccessError, UsageError
from blobmove.core.model import Destination
from blobmove.stores.azure.account import (
    SCOPE,
    AccountAccess,
    KeyAuthorizer,
    SasAuthorizer,
    TokenAuthorizer,
    account_name,
    find_access,
)

ACME = Destination("https://acme.blob.core.windows.net", "files")
EMULATOR = Destination("http://127.0.0.1:10000/devstoreaccount1", "files")
KEY = base64.b64encode(b"k" * 64).decode()
STRING = f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};EndpointSuffix=core.windows.net"
SAS = "sv=2025-11-05&sig=c2VjcmV0%3D"


@pytest.mark.parametrize(("url", "name"), [
    ("https://acme.blob.core.windows.net", "acme"), ("https://acme.blob.core.chinacloudapi.cn/", "acme"),
    ("http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
    ("http://localhost:10000/devstoreaccount1/", "devstoreaccount1"),
])
def test_the_account_is_in_the_host_or_in_the_emulators_path(url: str, name: str) -> None:
    assert account_name(url) == name


@pytest.mark.parametrize(("environ", "key", "sas"), [
    ({"AZURE_STORAGE_CONNECTION_STRING": STRING}, KEY, None),
    ({"AZURE_STORAGE_CONNECTION_STRING": f" {STRING};\n"}, KEY, None),
    ({"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=ACME;AccountKey={KEY}"}, KEY, None),
    ({"AZURE_STORAGE_CONNECTION_STRING": f"BlobEndpoint={ACME.account_url}/;SharedAccessSignature={SAS}"}, None, SAS),
    ({"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=acme;SharedAccessSignature=?{SAS}"}, None, SAS),
    ({"AZURE_STORAGE_CONNECTION_STRING": STRING, "AZURE_STORAGE_SAS_TOKEN": SAS}, KEY, None),
    ({"AZURE_STORAGE_SAS_TOKEN": f"?{SAS}"}, None, SAS),
    ({"AZURE_STORAGE_SAS_TOKEN": SAS, "AZURE_STORAGE_KEY": KEY}, None, SAS),
    ({"AZURE_STORAGE_KEY": KEY}, KEY, None),
    ({"AZURE_STORAGE_KEY": KEY, "AZURE_STORAGE_ACCOUNT": "acme"}, KEY, None),
    ({"AZURE_STORAGE_ACCOUNT_KEY": KEY}, KEY, None),
    ({}, None, None),
])
def test_the_first_that_is_found_wins(environ: dict[str, str], key: str | None, sas: str | None) -> None:
    assert find_access(ACME, environ) == AccountAccess("acme", ACME.account_url, key, sas)


def test_the_emulators_own_word_is_understood() -> None:
    found = find_access(EMULATOR, {"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"})
    assert found.account_name == "devstoreaccount1"
    assert found.key is not None


@pytest.mark.parametrize("environ", [
    {"AZURE_STORAGE_CONNECTION_STRING": STRING.replace("acme", "other")},
    {"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"},
    {"AZURE_STORAGE_KEY": KEY, "AZURE_STORAGE_ACCOUNT": "other"},
])
def test_credentials_of_another_account_are_refused_without_showing_them(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        find_access(ACME, environ)
    assert caught.value.code == "E409-ACCOUNT"
    assert KEY not in repr(vars(caught.value))


@pytest.mark.parametrize("text", ["AccountName=acme", "nonsense", "AccountKey=;AccountName=acme", ";;="])
def test_a_connection_string_without_a_credential_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_access(ACME, {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert caught.value.code == "E400-AZURE"


@pytest.mark.parametrize(("access", "kind"), [
    (AccountAccess("acme", ACME.account_url, key=KEY), "key"),
    (AccountAccess("acme", ACME.account_url, sas=SAS), "sas"),
    (AccountAccess("acme", ACME.account_url), "token"),
])
def test_no_repr_shows_a_secret(access: AccountAccess, kind: str) -> None:
    assert repr(access) == f"AccountAccess({ACME.account_url}, {kind})"
    for thing in (KeyAuthorizer(access, "files"), SasAuthorizer(SAS)):
        assert KEY not in repr(thing)
        assert SAS not in repr(thing)


def test_the_sdk_gets_its_own_kind_of_credential() -> None:
    assert isinstance(AccountAccess("acme", "u", key=KEY).sdk_credential(), AzureNamedKeyCredential)
    assert isinstance(AccountAccess("acme", "u", sas=SAS).sdk_credential(), AzureSasCredential)
    assert AccountAccess("acme", "u").sdk_credential() is None


async def test_a_sas_is_sent_as_it_was_given() -> None:
    authorizer = SasAuthorizer(SAS)
    authorizer.renew()
    assert await authorizer.allow() == (SAS, "")


async def test_a_key_signs_once_in_hours_and_again_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    made: list[str] = []

    class Counted(KeyAuthorizer):
        def _make(self) -> str:
            made.append(super()._make())
            return f"{made[-1]}&n={len(made)}"

    authorizer = Counted(AccountAccess("acme", ACME.account_url, key=KEY), "files")
    first = await authorizer.allow()
    now += 10 * 3600
    assert await authorizer.allow() == first
    now += 2 * 3600
    second = await authorizer.allow()
    authorizer.renew()
    assert len({first, second, await authorizer.allow()}) == 3
    fields = parse_qs(made[0])
    assert (fields["sp"], fields["sr"]) == (["racwdl"], ["c"])
    assert fields["st"] < fields["se"]


@pytest.mark.parametrize("environ", [
    {"AZURE_STORAGE_KEY": "not-base64!"},
    {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acme;AccountKey=not-base64!"},
])
def test_a_key_that_is_no_base64_is_told_without_showing_it(environ: dict[str, str]) -> None:
    with pytest.raises(AccessError) as caught:
        find_access(ACME, environ)
    assert caught.value.code == "E401-DESTINATION"
    assert "not-base64!" not in repr(vars(caught.value))


@dataclass
class Token:
    """An access token as azure-identity gives it."""

    token: str
    expires_on: float


@dataclass
class Chain:
    """A credential that gives tokens of an hour, or fails."""

    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def get_token(self, scope: str) -> Token:
        """One more token."""
        self.asked.append(scope)
        if self.error is not None:
            raise self.error
        return Token(f"token-{len(self.asked)}", time.time() + 3600)


async def test_a_token_is_kept_until_ten_minutes_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_795_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    chain = Chain()
    authorizer = TokenAuthorizer(chain)
    assert await authorizer.allow() == ("", "authorization: Bearer token-1")
    now += 3600 - 601
    assert (await authorizer.allow())[1] == "authorization: Bearer token-1"
    now += 2
    assert (await authorizer.allow())[1] == "authorization: Bearer token-2"
    authorizer.renew()
    assert (await authorizer.allow())[1] == "authorization: Bearer token-3"
    assert set(chain.asked) == {SCOPE}


@pytest.mark.parametrize(("error", "cause"), [
    (RuntimeError("no credential\nlong advice"), "no credential"), (ValueError(), "ValueError"),
])
async def test_no_token_is_one_sentence(error: Exception, cause: str) -> None:
    with pytest.raises(AccessError) as caught:
        await TokenAuthorizer(Chain(error)).allow()
    assert (caught.value.code, caught.value.cause) == ("E401-DESTINATION", cause)
    assert "az login" in (caught.value.hint or "")
