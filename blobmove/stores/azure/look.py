"""What credentials of Azure tell without asking anybody: of which kind they are, what a SAS allows and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from blobmove.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.stores.azure.account import AccountAccess

NEEDED: Final = "rwcl"
"""Rights of a SAS for plan, copy and verify: read, write, create, list (docs/how-to/give-least-privileges.md)."""


@frozen
class SasFacts:
    """What a SAS says of itself. `missing`: letters of NEEDED it lacks; `ends`: None where a policy decides that."""

    rights: str
    missing: str
    ends: datetime | None
    whole_account: bool


def read_sas(sas: str) -> SasFacts:
    """The parts of a SAS that are no secret. One with a stored policy (`si`) may leave rights and end to it."""
    told = {name: values[0] for name, values in parse_qs(sas.lstrip("?")).items()}
    rights = told.get("sp", "")
    by_policy = "si" in told and not rights
    missing = "" if by_policy else "".join(letter for letter in NEEDED if letter not in rights)
    return SasFacts(rights, missing, _moment(told.get("se")), "srt" in told)


def _moment(text: str | None) -> datetime | None:
    """`2026-12-31`, `2026-12-31T00:00Z`, `2026-12-31T00:00:00Z`: the three forms a SAS may have."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def kind_of_access(access: AccountAccess, environ: Mapping[str, str], token_kind: str = "") -> str:
    """Which credential was found, and where; never the credential. `token_kind`: who gave the token, if one did."""
    where = "AZURE_STORAGE_CONNECTION_STRING" if environ.get("AZURE_STORAGE_CONNECTION_STRING") else ""
    if access.key:
        return f"account key ({where or 'AZURE_STORAGE_KEY'})"
    if access.sas:
        return f"SAS ({where or 'AZURE_STORAGE_SAS_TOKEN'})"
    return f"token ({token_kind or 'DefaultAzureCredential'})"
