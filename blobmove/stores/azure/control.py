"""The control plane of Azure through its SDK: is the container there, may we write to it, create it."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from blobmove.core.errors import AccessError, BlobmoveError, UsageError
from blobmove.core.model import Destination
from blobmove.stores.azure.account import (
    API_VERSION,
    AccountAccess,
    Authorizer,
    KeyAuthorizer,
    SasAuthorizer,
    TokenAuthorizer,
    find_access,
)
from blobmove.stores.azure.blobs import AzureBlobs
from blobmove.stores.http import HttpClient

_NOT_TOLD: Final = (400, 401, 403, 404, 405, 501)
"""A role or a SAS that does not allow the question, an emulator that does not know it; all else may pass."""


class AzureControl:
    """An open way to one container. Use as an async context manager; the SDK is only loaded where it is needed."""

    def __init__(self, destination: Destination, access: AccountAccess | None = None) -> None:
        self.destination = destination
        self._access = access or find_access(destination, os.environ)
        self._stack = AsyncExitStack()
        self._token: Any = None

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def blobs(self, http: HttpClient) -> AzureBlobs:
        """The data path of this container."""
        return AzureBlobs(http, self.destination.account_url, self.destination.container, await self._authorizer())

    @property
    def token_kind(self) -> str:
        """Which credential of the chain has given the token (`AzureCliCredential`, ...); "" where none has."""
        found = getattr(self._token, "_successful_credential", None)
        return "" if found is None else type(found).__name__

    async def container_exists(self) -> bool:
        """Whether the container is there. Raises AccessError or UsageError in the operator's words.

        Asked by listing one blob: a container's SAS allows that, but not to read the container's properties.
        """
        client = await self._client()
        try:
            async for _page in client.list_blobs(results_per_page=1, timeout=20).by_page():
                break
        except Exception as error:
            if _code(error) == "ContainerNotFound":
                return False
            raise explain(error, self.destination) from None
        return True

    async def create_container(self) -> bool:
        """Create the container; whether it was not there before."""
        client = await self._client()
        try:
            await client.create_container(timeout=20)
        except Exception as error:
            if _code(error) == "ContainerAlreadyExists":
                return False
            raise explain(error, self.destination) from None
        return True

    async def hierarchical(self) -> bool | None:
        """Whether the account has a hierarchical namespace; None where that is not told to these credentials.

        Raises AccessError or UsageError in the operator's words where there was no answer to that question.
        """
        client = await self._client()
        try:
            told = await client.get_account_information(timeout=20)
        except Exception as error:
            if getattr(error, "status_code", None) in _NOT_TOLD:
                return None
            raise explain(error, self.destination) from None
        return bool(told.get("is_hns_enabled"))  # Azurite answers, and leaves it out

    async def _client(self) -> Any:  # noqa: ANN401 - kept out of the types so that the SDK loads late
        from azure.storage.blob.aio import ContainerClient, ExponentialRetry

        client = ContainerClient(
            self.destination.account_url,
            self.destination.container,
            credential=self._access.sdk_credential() or await self._token_credential(),
            api_version=API_VERSION,
            retry_policy=ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=2, random_jitter_range=1),
            connection_timeout=10,
        )
        return await self._stack.enter_async_context(client)

    async def _authorizer(self) -> Authorizer:
        if self._access.key:
            return KeyAuthorizer(self._access, self.destination.container)
        if self._access.sas:
            return SasAuthorizer(self._access.sas)
        return TokenAuthorizer(await self._token_credential())

    async def _token_credential(self) -> Any:  # noqa: ANN401 - any AsyncTokenCredential
        if not self.destination.account_url.startswith("https://"):
            raise AccessError(
                "E401-DESTINATION", "no Azure credentials were found, and tokens are only sent over https",
                hint="set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_KEY",
            )
        if self._token is None:
            from azure.identity.aio import DefaultAzureCredential

            self._token = await self._stack.enter_async_context(DefaultAzureCredential())
        return self._token


def _code(error: Exception) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def explain(error: Exception, destination: Destination) -> BlobmoveError:
    """One SDK error in the operator's words, decided on the error code (the classes lie: azure-blob.md section 7)."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

    if isinstance(error, BlobmoveError):
        return error
    code, cause = _code(error), _first_line(error)
    status = getattr(error, "status_code", None)
    if isinstance(error, ServiceRequestError):
        return UsageError("E000-DESTINATION", f"{destination.account_url} cannot be reached", cause=cause,
                          hint="check the account name in --destination, the network and the firewall of the account")
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        return AccessError("E403-DESTINATION", f"Azure refused access to container `{destination.container}`",
                           cause=f"{code}: {cause}" if code else cause,
                           hint="needed: the role `Storage Blob Data Contributor` on the container, or a SAS with "
                                "rwcl; check also the clock and the expiry")
    if code in ("ContainerNotFound", "ResourceNotFound") or status == 404:
        return container_missing(destination, cause)
    kind = f"{code}: {cause}" if isinstance(error, HttpResponseError) and code else cause
    return UsageError("E400-DESTINATION", f"{destination} cannot be used", cause=kind)


def container_missing(destination: Destination, cause: str | None = None) -> UsageError:
    """The error for a container that is not there."""
    return UsageError("E404-CONTAINER", f"there is no container `{destination.container}`", cause=cause,
                      hint="create it, or run `blobmove plan` again with --create-container")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
