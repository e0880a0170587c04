"""A certificate authority of the tests' own, and a server certificate for 127.0.0.1 signed by it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form. `stranger` is an authority that signed nothing here."""

    authority: Path
    certificate: Path
    key: Path
    stranger: Path


def make_certificates(
    folder: Path, *, address: str = "127.0.0.1", lifetime: datetime.timedelta = datetime.timedelta(days=2),
    complete: bool = True,
) -> Certificates:
    """A new authority and a certificate of it for `address`, which ends `lifetime` from now.

    One that is not `complete` does not say whose key signed it: from Python 3.13 on it must.
    """
    key, authority = _authority("blobmove tests")
    _, stranger = _authority("a stranger")
    own = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(address, own.public_key(), authority.subject, lifetime)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
    if complete:
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = builder.add_extension(signer, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    made = Certificates(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "stranger.pem")))
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.stranger.write_bytes(stranger.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(name, key.public_key(), subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_SIGNS, critical=True)  # as Python 3.13 wants it of an authority
    return key, builder.sign(key, hashes.SHA256())


def _builder(
    name: str, key: ec.EllipticCurvePublicKey, issuer: x509.Name,
    lifetime: datetime.timedelta = datetime.timedelta(days=2),
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
