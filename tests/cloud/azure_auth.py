"""Who may ask Azure: SAS by their dates, bearer tokens by their expiry, Shared Key as it comes (not recomputed)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tests.cloud.azure_answers import AzureError
from tests.cloud.wire import Request

_CHALLENGE: Final = {
    "WWW-Authenticate": "Bearer authorization_uri=https://login.microsoftonline.com/"
                        "00000000-0000-0000-0000-000000000000/oauth2/authorize resource_id=https://storage.azure.com"
}


def allow(request: Request, now: float, bearer: Mapping[str, float]) -> None:
    """Raises AzureError 401 or 403. `bearer` maps known tokens to their expiry; empty: any token is good."""
    if "sig" in request.params:
        _check_sas(request, now)
        return
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme == "SharedKey":
        return
    if scheme != "Bearer":
        raise AzureError(401, "NoAuthenticationInformation", headers=_CHALLENGE)
    if bearer and now >= bearer.get(value, 0.0):
        raise expired()


def expired() -> AzureError:
    """The answer to an expired bearer token."""
    return AzureError(401, "InvalidAuthenticationInfo", more={
        "AuthenticationErrorDetail": "Lifetime validation failed. The token is expired."}, headers=_CHALLENGE)


def _check_sas(request: Request, now: float) -> None:
    start, end = request.params.get("st", ""), request.params.get("se", "")
    if (start and now < _moment(start)) or not end or now >= _moment(end):
        detail = f"Signature not valid in the specified time frame: Start [{start}] - Expiry [{end}]"
        raise AzureError(403, "AuthenticationFailed", more={"AuthenticationErrorDetail": detail})


@lru_cache(maxsize=256)
def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AzureError(403, "AuthenticationFailed", more={
            "AuthenticationErrorDetail": "se or st is not well-formed"}) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
