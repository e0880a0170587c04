"""What credentials tell by themselves: kind, rights and end, and never the secret."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from blobmove.stores.azure.account import AccountAccess
from blobmove.stores.azure.look import kind_of_access, read_sas

URL = "https://acme.blob.core.windows.net"


@pytest.mark.parametrize(("sas", "missing", "ends"), [
    ("sp=rwcl&se=2026-12-31T00:00Z&srt=co&sig=x", "", datetime(2026, 12, 31, tzinfo=UTC)),
    ("?sp=racwdl&se=2026-12-31T08%3A30%3A00Z&sr=c&sig=x", "", datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
    ("sp=rl&se=2026-12-31&sig=x", "wc", datetime(2026, 12, 31, tzinfo=UTC)),
    ("si=policy&sr=c&sig=x", "", None),
    ("sp=rwcl&se=tomorrow&sig=x", "", None),
])
def test_a_sas_is_read(sas: str, missing: str, ends: datetime | None) -> None:
    facts = read_sas(sas)
    assert (facts.missing, facts.ends) == (missing, ends)


def test_a_token_names_who_gave_it() -> None:
    assert kind_of_access(AccountAccess("acme", URL), {}, "AzureCliCredential") == "token (AzureCliCredential)"


@pytest.mark.parametrize(("access", "environ", "kind"), [
    (AccountAccess("acme", URL, key="c2VjcmV0"), {"AZURE_STORAGE_KEY": "c2VjcmV0"}, "account key (AZURE_STORAGE_KEY)"),
    (AccountAccess("acme", URL, key="c2VjcmV0"), {"AZURE_STORAGE_CONNECTION_STRING": "AccountKey=c2VjcmV0"},
     "account key (AZURE_STORAGE_CONNECTION_STRING)"),
    (AccountAccess("acme", URL, sas="sig=c2VjcmV0"), {}, "SAS (AZURE_STORAGE_SAS_TOKEN)"),
    (AccountAccess("acme", URL), {}, "token (DefaultAzureCredential)"),
])
def test_the_kind_is_told_and_where_it_was_found(access: AccountAccess, environ: dict[str, str], kind: str) -> None:
    assert kind_of_access(access, environ) == kind
