"""Requests the door does not make, signed with a SAS as it would: for what the servers must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blobmove.stores.azure.account import API_VERSION, KeyAuthorizer
from blobmove.stores.http import Answer, Body, HttpClient
from tests.contract.worlds import AzureWorld


@dataclass(frozen=True, slots=True)
class RawAzure:
    """Any request to one container."""

    http: HttpClient
    world: AzureWorld

    async def send(
        self,
        method: str,
        path: str | None,
        query: str = "",
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: Body | None = None,
    ) -> Answer:
        """One request to the container (`path` None) or to a blob, its path percent-encoded already."""
        signature, _ = await KeyAuthorizer(self.world.access, self.world.container).allow()
        url = f"{self.world.url}/{self.world.container}" + ("" if path is None else f"/{path}")
        joined = "&".join(part for part in (query, signature) if part)
        lines = [f"{name}: {value}" for name, value in (("x-ms-version", API_VERSION), *headers)]
        return await self.http.send(method, f"{url}?{joined}", lines, body)
