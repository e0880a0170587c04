"""Logging in at Azure's databases with Microsoft Entra: the password is a token that lives for about an hour.

Source: learn.microsoft.com, "Connect with managed identity" of Azure Database for MySQL and for PostgreSQL. The token
goes over the wire as it is (MySQL's plugin mysql_clear_password), so it is only ever given to a server whose
certificate has been verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from blobmove.core.errors import AccessError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from blobmove.stores.rails.url import DatabaseUrl

SCOPE: Final = "https://ossrdbms-aad.database.windows.net/.default"
VERIFIED: Final = frozenset({"verify_ca", "verify_identity"})


def log_in_with_tokens(engine: Engine, url: DatabaseUrl, mode: str, token: Callable[[], str] | None = None) -> None:
    """From now on each new connection of `engine` gets a token of its own as password.

    `mode` is the URL's TLS mode. Raises RefusedError E412-DATABASE-TLS when it does not verify the server.
    """
    if mode not in VERIFIED:
        raise RefusedError(
            "E412-DATABASE-TLS", f"a token is not sent to {url.describe()} without verifying its certificate",
            cause=f"ssl_mode is {mode}", hint="?ssl_mode=verify_identity in the URL",
        )  # fmt: skip
    ask = token or entra_token

    @event.listens_for(engine, "do_connect")
    def _with_token(_dialect: object, _record: object, _words: list[Any], arguments: dict[str, Any]) -> None:
        arguments["password"] = ask()


def entra_token() -> str:
    """A token of whoever this process is: workload or managed identity, az login. Raises AccessError E401-DATABASE."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    try:
        with DefaultAzureCredential() as credential:
            return credential.get_token(SCOPE).token
    except ClientAuthenticationError as error:
        raise AccessError("E401-DATABASE", "Microsoft Entra gives no token for the database",
                          cause=str(error).splitlines()[0], hint="az login, or give this machine an identity") from None
