"""Rows of a large company, each made from its number alone: what the inventory and Rails say, and how it is copied."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from blobmove.core.model import ObjectVersion, Outcome, Proof, RailsFacts, State, Transfer
from tests.cloud.content import Mod251
from tests.cloud.specs import ObjectSpec

MIB: Final = 1024 * 1024
CYCLE: Final = 251
_SIZES: Final = tuple(range(20_000, 140_000, 7_500))
_RAILS_TYPES: Final = (
    "image/jpeg", "image/png", "application/pdf", "image/webp", "text/csv", "video/mp4",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
_RAW: Final = (
    ("invoices/{year}/{month:02d}/pdf/INV-{n:06d}.pdf", "application/pdf"),
    ("labels/ups/{year}-{month:02d}/1Z999AA1{n:010d}.png", "image/png"),
    ("packing_slips/{year}/{month:02d}/order-{n}/slip.tiff", "image/tiff"),
)
_FAILED_EVERY: Final = 10_000
_FIRST_MS: Final = 1_577_836_800_000  # 2020-01-01
_APART_MS: Final = 21_000


@dataclass(frozen=True, slots=True)
class Item:
    """One object. Four of five are ActiveStorage's (28-character keys), one of fifty is a large multipart upload."""

    number: int

    @property
    def rails(self) -> bool:
        return self.number % 5 != 4

    @property
    def large(self) -> bool:
        return self.number % 50 == 24

    @property
    def key(self) -> str:
        n = self.number
        if self.rails:
            return hashlib.blake2b(n.to_bytes(8, "big"), digest_size=14).hexdigest()
        return _RAW[n % 3][0].format(n=n, year=2015 + n % 10, month=n % 12 + 1)

    @property
    def size(self) -> int:
        return (40 + self.number % 400) * MIB if self.large else _SIZES[self.number % len(_SIZES)]

    @property
    def md5(self) -> bytes:
        if self.large:  # nobody reads these: they are settled by hand
            return hashlib.md5(str(self.number).encode()).digest()
        return _md5(self.number % CYCLE, self.size)

    @property
    def etag(self) -> str:
        return f"{self.md5.hex()}-{self.size // (8 * MIB)}" if self.large else self.md5.hex()

    @property
    def content_type(self) -> str:
        return _RAILS_TYPES[self.number % len(_RAILS_TYPES)] if self.rails else _RAW[self.number % 3][1]

    @property
    def modified_ms(self) -> int:
        return _FIRST_MS + self.number * _APART_MS

    @classmethod
    def modified_at(cls, modified_ms: int) -> Item:
        """The one object of this time."""
        return cls((modified_ms - _FIRST_MS) // _APART_MS)

    def spec(self) -> ObjectSpec:
        """The object for the simulated cloud, of exactly the bytes its ETag speaks of."""
        return ObjectSpec(key=self.key, size=self.size, recipe=f"mod251:{self.number % CYCLE}",
                          headers={"Content-Type": self.content_type})

    def listed(self) -> ObjectVersion:
        """The row of an inventory as `plan` reads it."""
        return ObjectVersion(self.key, self.size, self.etag, modified_ms=self.modified_ms, encryption="SSE-S3",
                             checksum_algorithm="CRC64NVME")

    def rails_row(self) -> tuple[Any, ...]:
        """id, key, filename, content type, service, size, checksum, created_at of its row in the database."""
        checksum = base64.b64encode(self.md5).decode()
        return (self.number + 1, self.key, "file", self.content_type, "amazon", self.size, checksum,
                "2024-03-01 12:00:00.000000")

    def facts(self) -> RailsFacts:
        """The same as `plan` gathers it."""
        return RailsFacts(self.number + 1, "amazon", self.size, self.md5, None, self.content_type)


@cache
def _md5(start: int, size: int) -> bytes:
    return hashlib.md5(Mod251(size, start).read(0, size)).digest()


def outcomes(transfers: Sequence[Transfer]) -> list[Outcome]:
    """How a copy of these ends: nearly all copied; one in ten thousand failed."""
    return [_outcome(transfer) for transfer in transfers]


def _outcome(transfer: Transfer) -> Outcome:
    draw = transfer.id % 2**52
    if transfer.id % _FAILED_EVERY == 0:
        return Outcome(transfer.id, State.FAILED, "E403-SOURCE", "403 AccessDenied: Access Denied", attempts=3)
    etag = transfer.etag or ""
    single = "-" not in etag
    kind = transfer.rails.content_type if transfer.rails else "application/pdf"
    return Outcome(
        transfer.id, State.COPIED, size=transfer.size, proof=Proof.ETAG_MD5 if single else Proof.CRC64NVME,
        md5=bytes.fromhex(etag[:32]) if single else draw.to_bytes(16, "big"),
        crc64=None if single else draw.to_bytes(8, "big"), source_etag=etag, blob_etag=f"0x8DE{draw:012X}"[:17],
        content_type=kind, seconds=draw % 4000 / 10_000,
    )
