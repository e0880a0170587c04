"""The last net under every text that leaves the program: signatures, keys and passwords become `REDACTED`.

The doors keep secrets out in the first place; this catches what a library wrote into an exception of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "REDACTED"

SECRET_VARIABLES: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "DATABASE_URL",
)
"""Environment variables whose values are secrets."""

_QUERY: Final = re.compile(
    r"(?P<name>(?:(?<![A-Za-z0-9_])|(?<=%3F)|(?<=%26))(?:sig|X-Amz-(?:Signature|Security-Token|Credential))(?:=|%3D))[^&\s\"'<>\\]+",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"(?P<name>(?:AccountKey|SharedAccessSignature|(?:aws_)?secret_?access_?key|aws_session_token|X-Amz-Security-Token"
    r"|(?<![A-Za-z0-9_])(?:password|passwd|client_secret))[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&<>]+",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(r"(?P<name>\b(?:Bearer\s+|SharedKey(?:Lite)?\s+[\w-]+:))[A-Za-z0-9+/=._~-]{8,}")
_USERINFO: Final = re.compile(r"(?P<name>\b[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s]+(?=@)", re.IGNORECASE)
_PATTERNS: Final = (_USERINFO, _QUERY, _NAMED, _HEADER)

_SECRET_WORDS: Final = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|sas|credentials?|connection_string|access_key|account_key|key|api_key)(?:$|_)"
)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without signatures, tokens, account keys and passwords in URLs; `known` are hidden as well."""
    for secret in known:
        if len(secret) >= 8:
            text = text.replace(secret, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<name>{MASK}", text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name would hold a secret: `account_key`, `sas_token`, `connection_string`, ..."""
    return _SECRET_WORDS.search(name.lower().replace("-", "_")) is not None
