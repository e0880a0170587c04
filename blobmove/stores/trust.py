"""Whose certificates are believed, and what is said of one that is not."""

from __future__ import annotations

import os
import re
import ssl
from typing import Final

from blobmove.core.errors import UsageError

_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+\Z").match
_UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21})
"""OpenSSL's verify codes for a certificate that is well, but whose authority nobody here knows."""
_LACKING: Final = range(80, 95)
"""Those for one that lacks what RFC 5280 wants of it: refused by default from Python 3.13 on (`VERIFY_X509_STRICT`)."""


def trusted(ca_file: str | None) -> ssl.SSLContext:
    """The system's certificates, and those of a CA file the operator named. Raises UsageError where it is none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not _has_hashed():
        import certifi  # a Python without certificates of its own, as on macOS

        context.load_verify_locations(certifi.where())
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the system's own default may be
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise UsageError("E400-CA", f"{ca_file} is not a file of certificates", cause=str(error),
                             hint="check AWS_CA_BUNDLE and SSL_CERT_FILE: a PEM file, or not set") from None
    return context


def reason_of(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was not believed, and what to do about it where something can be done here."""
    hint = ""
    if error.verify_code in _UNKNOWN_AUTHORITY:
        hint = "; AWS_CA_BUNDLE (S3) and SSL_CERT_FILE (Azure) name a file with a private authority"
    elif error.verify_code in _LACKING:
        hint = "; Python 3.13 and later want it complete: have it issued anew, or run blobmove with Python 3.12"
    return f"{error.verify_message}{hint}"


def _has_hashed() -> bool:
    """Whether there is a folder of certificates that OpenSSL looks into at need: such do not count as loaded."""
    folder = ssl.get_default_verify_paths().capath
    return bool(folder) and any(_HASHED(name) for name in os.listdir(folder))
