"""What a driver's exception means: something that passes, something the operator can cure, or a bug.

Classified by the server's own code (MySQL error number, SQLSTATE, SQLite code), never by the exception's class.
Sources: MySQL manual "Server Error Message Reference", PostgreSQL manual appendix A, sqlite.org/rescode.html;
those marked tried in the reference of the Rails side were met on MariaDB 10.11 and PostgreSQL 15.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Final

from blobmove.core.errors import AccessError, UsageError
from blobmove.core.flipping import DatabaseTrouble, Trouble
from blobmove.stores.rails.url import ESCAPES

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

    from blobmove.core.errors import BlobmoveError
    from blobmove.stores.rails.url import DatabaseUrl

_BUSY: Final = frozenset({
    "1205", "1213", "3572", "3058", "1969", "3024", "1317",                    # MySQL, MariaDB
    "40001", "40P01", "55P03", "57014",                                        # PostgreSQL
    "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT",
})  # fmt: skip
_LOST: Final = frozenset({
    "2006", "2013", "2014", "2055", "1053", "1927", "4031", "1047", "1158", "1159", "1160", "1161",
    "1290", "1792", "1836",                                                    # read-only: a fail-over happened
    "57P01", "57P02", "57P03", "08000", "08003", "08006", "25006", "25P03", "25P02",
})  # fmt: skip
_PASSWORD: Final = frozenset({
    "1045", "1698", "1820", "1862", "3118", "4151", "28P01", "28000",          # also expired, and locked accounts
})  # fmt: skip
_FULL: Final = frozenset({"1040", "1203", "1226", "53300", "53400"})
_FULL_TEXT: Final = r"too many clients already|remaining connection slots|too many connections"
_DATABASE_DENIED: Final = frozenset({"1044"})
_NO_DATABASE: Final = frozenset({"1049", "3D000"})
_GRANT: Final = frozenset({"1142", "1143", "1227", "42501"})
_NO_TABLE: Final = frozenset({"1146", "42P01"})
_NO_COLUMN: Final = frozenset({"1054", "42703"})
_READ_ONLY: Final = frozenset({"SQLITE_READONLY", "SQLITE_READONLY_DBMOVED", "SQLITE_READONLY_DIRECTORY"})
_NOT_SQLITE: Final = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_CANTOPEN"})


def read_code(error: DBAPIError) -> tuple[str, str]:
    """The server's code ("" where the driver has none) and its text on one line."""
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorname", None) or "", _line(str(original))
    arguments: tuple[object, ...] = getattr(original, "args", ())
    if len(arguments) >= 2 and isinstance(arguments[0], int):  # PyMySQL: its SQLSTATE is mostly HY000, the number tells
        return str(arguments[0] or ""), _line(str(arguments[1]))  # 0 on a connection that is closed
    state = getattr(original, "sqlstate", None)
    if state:
        return str(state), _line(str(original))
    return "", _line(str(original))


def translate(error: DBAPIError, url: DatabaseUrl) -> DatabaseTrouble | BlobmoveError:
    """What to raise in place of a driver's error during work on an open connection."""
    code, text = read_code(error)
    text = without_secrets(text, url)
    if code in _BUSY:
        return DatabaseTrouble(Trouble.BUSY, code, text)
    if code in _LOST or error.connection_invalidated or (code == "" and url.dialect != "sqlite"):
        return DatabaseTrouble(Trouble.LOST, code or "connection lost", text)
    return _curable(code, text, url) or UsageError(
        "E500-DATABASE", f"{url.describe()} refused a statement", cause=f"{code} {text}".strip(),
        hint="look into the server's log for the reason; nothing was changed by this statement",
    )


def translate_connect(error: DBAPIError, url: DatabaseUrl) -> BlobmoveError:
    """What to raise when no connection could be made."""
    code, text = read_code(error)
    text = without_secrets(text, url)
    if code == "" and _is_password(text):
        return _refused_login(text, url)
    if code in _NO_DATABASE or (code == "" and re.search(r'database "[^"]*" does not exist', text)):
        return UsageError("E404-DATABASE", f"there is no database at {url.describe()}", cause=text)
    if code in _FULL or (code == "" and re.search(_FULL_TEXT, text)):
        return UsageError(
            "E429-DATABASE", f"{url.describe()} has no connection left", cause=f"{code} {text}".strip(),
            hint="a flip needs two, and one at each replica: raise the limit of this user, or wait",
        )  # fmt: skip
    if code == "3159" or "insecure transport" in text:
        return UsageError(
            "E000-DATABASE-TLS", f"{url.describe()} lets nobody in without TLS", cause=text,
            hint="?ssl_mode=verify_identity in the URL, in the place of the ssl_mode that forbids it",
        )  # fmt: skip
    if "certificate" in text.lower():
        return UsageError(
            "E000-DATABASE-TLS", f"the certificate of {url.describe()} could not be verified", cause=text,
            hint="name the authority: ?sslca=/path/ca.pem (MySQL) or ?sslrootcert=/path/ca.pem (PostgreSQL)",
        )  # fmt: skip
    return _curable(code, text, url) or UsageError(
        "E000-DATABASE", f"cannot connect to {url.describe()}", cause=f"{code} {text}".strip(),
        hint="check host, port and firewall; DATABASE_URL is read as Rails reads it",
    )  # fmt: skip


def _refused_login(text: str, url: DatabaseUrl) -> AccessError:
    return AccessError(
        "E401-DATABASE", f"{url.describe()} refused the login", cause=text,
        hint=f"check user and password in DATABASE_URL; {ESCAPES}",
    )  # fmt: skip


def _curable(code: str, text: str, url: DatabaseUrl) -> BlobmoveError | None:
    if code in _PASSWORD:  # MariaDB lets in whose password has expired, and then refuses every statement
        return _refused_login(text, url)
    if code in _GRANT or code in _DATABASE_DENIED:
        return AccessError(
            "E403-DATABASE", f"the user of {url.describe()} may not do what is needed", cause=text,
            hint="GRANT SELECT, UPDATE (service_name) ON active_storage_blobs, and for plan SELECT on"
            " active_storage_attachments, to this user",
        )  # fmt: skip
    if code in _NO_TABLE or text.startswith("no such table"):
        return no_table(url, text)
    if code in _NO_COLUMN or text.startswith("no such column"):
        return UsageError("E410-COLUMN", "active_storage_blobs lacks a column that Rails gives it", cause=text,
                          hint="run the app's migrations (bin/rails active_storage:update, then db:migrate)")
    if code in _READ_ONLY:
        return UsageError("E403-DATABASE-FILE", f"{url.describe()} cannot be written", cause=text)
    if code in _NOT_SQLITE:
        return UsageError("E400-DATABASE-FILE", f"{url.describe()} is not a readable SQLite database", cause=text)
    return None


def no_table(url: DatabaseUrl, cause: str | None = None) -> UsageError:
    return UsageError(
        "E404-TABLE", f"there is no table active_storage_blobs in {url.describe()}", cause=cause,
        hint="is this the application's own database? Applications with several keep ActiveStorage in one of them",
    )  # fmt: skip


def without_secrets(text: str, url: DatabaseUrl) -> str:
    """The drivers do not print passwords; should one ever do, it does not leave this room."""
    return text.replace(url.password, "***") if url.password else text


def _is_password(text: str) -> bool:
    """libpq reports a failed login without an SQLSTATE: only its text tells."""
    failures = r"password authentication failed|no password supplied|role .* does not exist|no pg_hba.conf entry"
    return bool(re.search(failures, text))


def _line(text: str) -> str:
    return " ".join(text.split())
