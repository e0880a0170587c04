"""Which account, and how requests to it are allowed: connection string, SAS, account key, or a token."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from anyio import Lock

from blobmove.core.errors import AccessError, UsageError
from blobmove.core.frozen import frozen
from blobmove.core.model import Destination

API_VERSION: Final = "2025-11-05"
"""The service version spoken on both planes; the SDK's default is newer than every emulator (azure-blob.md 8.1)."""

SCOPE: Final = "https://storage.azure.com/.default"
_SAS_HOURS: Final = 12
_RENEW_SECONDS: Final = 600.0
_ASK_AGAIN_SECONDS: Final = 30.0


class Authorizer(Protocol):
    """What a request needs to be allowed: a query string for its URL (without `?`), or a header's line; else empty."""

    async def allow(self) -> tuple[str, str]: ...

    def renew(self) -> None: ...


@frozen
class AccountAccess:
    """Credentials as found, for the SDK and for the data path. The repr shows none of them."""

    account_name: str
    account_url: str
    key: str | None = None
    sas: str | None = None

    def __repr__(self) -> str:
        kind = "key" if self.key else "sas" if self.sas else "token"
        return f"AccountAccess({self.account_url}, {kind})"

    def sdk_credential(self) -> Any:  # noqa: ANN401 - str, SAS or token credential: whatever the SDK takes
        """The credential in the form the SDK takes."""
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

        if self.key:
            return AzureNamedKeyCredential(self.account_name, self.key)
        if self.sas:
            return AzureSasCredential(self.sas)
        return None


def find_access(destination: Destination, environ: Mapping[str, str]) -> AccountAccess:
    """The credentials for the destination's account, in the order of the command line contract.

    Raises UsageError when a variable names another account or is malformed, AccessError for a key that is none.
    """
    name = account_name(destination.account_url)
    text = environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if text:
        return _from_connection_string(text, name, destination.account_url)
    sas = environ.get("AZURE_STORAGE_SAS_TOKEN")
    if sas:
        return AccountAccess(name, destination.account_url, sas=sas.lstrip("?"))
    key = environ.get("AZURE_STORAGE_KEY") or environ.get("AZURE_STORAGE_ACCOUNT_KEY")
    if key:
        _same_account(environ.get("AZURE_STORAGE_ACCOUNT"), name)
        return AccountAccess(name, destination.account_url, key=_checked(key))
    return AccountAccess(name, destination.account_url)


def account_name(account_url: str) -> str:
    """The account in the host name, or in the path of an emulator's address."""
    host, _, path = account_url.partition("://")[2].partition("/")
    return path.strip("/") if path.strip("/") else host.partition(".")[0]


def _from_connection_string(text: str, name: str, url: str) -> AccountAccess:
    fields = dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)
    if fields.get("UseDevelopmentStorage", "").lower() == "true":
        fields = {"AccountName": "devstoreaccount1", "AccountKey": _EMULATOR_KEY}
    key, sas = fields.get("AccountKey"), fields.get("SharedAccessSignature")
    if not key and not sas:
        raise UsageError("E400-AZURE", "AZURE_STORAGE_CONNECTION_STRING holds neither AccountKey nor "
                         "SharedAccessSignature", hint="copy it again from the portal, section `Access keys`")
    _same_account(fields.get("AccountName"), name)
    return AccountAccess(name, url, key=_checked(key) if key else None, sas=None if key else (sas or "").lstrip("?"))


# The one key of every Azure emulator, published in Microsoft's documentation; it opens nothing else.
_EMULATOR_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def _checked(key: str) -> str:
    """The key, if it is base64: before any request, since the SDK reports a bad one as if Azure had refused it."""
    try:
        b64decode(key, validate=True)
    except ValueError as error:
        raise AccessError("E401-DESTINATION", "the account key is not valid base64", cause=str(error),
                          hint="copy the key again from the portal, section `Access keys`") from None
    return key


def _same_account(told: str | None, name: str) -> None:
    if told and told.lower() != name.lower():
        raise UsageError("E409-ACCOUNT", f"the credentials are for account `{told}`, the destination is `{name}`",
                         hint="set the variables for the destination's account, or change --destination")


class SasAuthorizer:
    """A SAS the operator gave: sent as it is. It cannot be renewed here."""

    def __init__(self, sas: str) -> None:
        self._sas = sas

    async def allow(self) -> tuple[str, str]:
        return self._sas, ""

    def renew(self) -> None:
        """Nothing can be done about an expired SAS but a new one."""


class KeyAuthorizer:
    """A container SAS of our own from the account key: signed once in hours instead of once a request."""

    def __init__(self, access: AccountAccess, container: str) -> None:
        self._access = access
        self._container = container
        self._sas = ""
        self._until = 0.0

    async def allow(self) -> tuple[str, str]:
        if time.monotonic() >= self._until:
            self._sas = self._make()
            self._until = time.monotonic() + _SAS_HOURS * 3600 - 3600
        return self._sas, ""

    def renew(self) -> None:
        self._until = 0.0

    def _make(self) -> str:
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        now = datetime.now(UTC)
        return generate_container_sas(
            self._access.account_name,
            self._container,
            account_key=_checked(self._access.key or ""),
            permission=ContainerSasPermissions(read=True, add=True, create=True, write=True, delete=True, list=True),
            start=now - timedelta(minutes=15),  # the clocks may differ
            expiry=now + timedelta(hours=_SAS_HOURS),
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


class TokenAuthorizer:
    """A bearer token from azure-identity, asked for again ten minutes before it ends."""

    def __init__(self, credential: Any) -> None:  # noqa: ANN401 - any AsyncTokenCredential
        self._credential = credential
        self._line = ""
        self._ask_at = 0.0
        self._expires = 0.0
        self._renewal = Lock()

    async def allow(self) -> tuple[str, str]:
        if time.time() >= self._ask_at:
            async with self._renewal:
                if time.time() >= self._ask_at:
                    await self._ask()
        return "", self._line

    async def _ask(self) -> None:
        """Get a token. Near its end the credential may give the same one again, or fail: the old one is used on."""
        try:
            token = await self._credential.get_token(SCOPE)
        except Exception as error:  # every credential of the chain has errors of its own
            if time.time() >= self._expires:
                raise AccessError(
                    "E401-DESTINATION", "no Azure credentials were found", cause=_first_line(error),
                    hint="set AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_SAS_TOKEN, or run `az login`",
                ) from None
        else:
            self._line = f"authorization: Bearer {token.token}"
            self._expires = float(token.expires_on)
        self._ask_at = max(self._expires - _RENEW_SECONDS, time.time() + _ASK_AGAIN_SECONDS)

    def renew(self) -> None:
        self._ask_at = self._expires = 0.0
