"""What the control plane makes of answers that no emulator gives."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceResponseError

from blobmove.core.errors import BlobmoveError
from blobmove.core.model import Destination
from blobmove.stores.azure.account import AccountAccess
from blobmove.stores.azure.control import AzureControl

pytestmark = pytest.mark.anyio
URL = "https://acme.blob.core.windows.net"


class Client:
    """The SDK's client, which answers as it is told."""

    def __init__(self, told: dict[str, object] | AzureError) -> None:
        self.told = told

    async def get_account_information(self, **_how: object) -> dict[str, object]:
        if isinstance(self.told, AzureError):
            raise self.told
        return self.told


async def asked(told: dict[str, object] | AzureError, monkeypatch: pytest.MonkeyPatch) -> bool | None:
    async def client(_control: AzureControl) -> Any:  # noqa: ANN401 - as the SDK's
        return Client(told)

    monkeypatch.setattr(AzureControl, "_client", client)
    return await AzureControl(Destination(URL, "files"), AccountAccess("acme", URL, sas="s")).hierarchical()


def answer(status: int) -> HttpResponseError:
    error = HttpResponseError("no")
    error.status_code = status
    return error


@pytest.mark.parametrize(("told", "hierarchical"), [
    ({"is_hns_enabled": True}, True), ({"is_hns_enabled": False}, False), ({}, False),
    (answer(400), None), (answer(401), None), (answer(403), None), (answer(404), None), (answer(405), None),
    (answer(501), None),
])  # fmt: skip
async def test_who_may_not_ask_for_the_kind_of_account_is_not_told(
    told: dict[str, object] | AzureError, hierarchical: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await asked(told, monkeypatch) is hierarchical


@pytest.mark.parametrize(("error", "code"), [
    (answer(503), "E400-DESTINATION"), (answer(500), "E400-DESTINATION"),
    (ServiceResponseError("timeout"), "E400-DESTINATION"),
    (ClientAuthenticationError("no new token"), "E403-DESTINATION"),
])  # fmt: skip
async def test_a_failure_is_no_answer_to_what_kind_of_account_it_is(
    error: AzureError, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BlobmoveError) as caught:
        await asked(error, monkeypatch)
    assert caught.value.code == code
