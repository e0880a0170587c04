"""The objects a migration trips over: odd names, headers, sizes, parts, classes and versions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from blobmove.demo.company import Content, StoredObject

if TYPE_CHECKING:
    from typing import Unpack

    from blobmove.demo.company import ObjectTraits

MIB: Final = 1 << 20
_FROM = datetime(2017, 3, 1, 6, 0)
_PDF: Final = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
_PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_TIFF: Final = b"II*\x00"
_TIFF_BIG_ENDIAN: Final = b"MM\x00*"
_PDF_HEADERS: Final = {"Content-Type": "application/pdf"}

REFUSED_KEY: Final = "exports/2019/final."
"""Azure strips the trailing dot: it cannot hold this name."""
PLACEHOLDER_KEY: Final = "packing-slips/"
GLACIER_KEY: Final = "archive/2016/ledger.pdf"
OVERWRITTEN_KEYS: Final = ("reports/daily.csv", "exports/catalogue.xml")
DELETED_KEYS: Final = ("exports/withdrawn.pdf", "reports/never-mind.csv")

_NAMES: Final = (
    ("packing-slips/2026/02/slip 1001 copy.pdf", _PDF, "application/pdf"),
    (" leading and trailing .png ", _PNG, "image/png"),
    ("shipping-labels/DHL+Express 2026.png", _PNG, "image/png"),
    ("rechnungen/März/Müller & Söhne.pdf", _PDF, "application/pdf"),
    ("kunden/A\u030angstro\u0308m.pdf", _PDF, "application/pdf"),  # decomposed: another name than the next
    ("kunden/\u00c5ngstr\u00f6m.pdf", _PDF, "application/pdf"),
    ("reports/100%/umsatz%20netto.csv", b"", "text/csv"),
    ("customs/scans//4711.tif", _TIFF, "image/tiff"),
    ("customs/scans//4712.tif", _TIFF_BIG_ENDIAN, "image/tiff"),
    ("exports/what?#is=this&that;,'(1)!*~.csv", b"", "text/csv"),
    ("exports/\U0001f4e6 done.csv", b"", "text/csv"),
    ("Exports/Done.csv", b"", "text/csv"),
    ("exports/done.csv", b"", "text/csv"),
)


def odd_objects(seed: int) -> list[StoredObject]:
    """Objects written before versioning was switched on, none above 6 MiB."""
    shelf = _Shelf(seed)
    for number, (key, magic, content_type) in enumerate(_NAMES):
        shelf.put(key, 3000 + 517 * number, magic, {"Content-Type": content_type})
    _with_headers(shelf)
    _with_classes(shelf)
    _in_small_parts(shelf)
    for key in (*OVERWRITTEN_KEYS, *DELETED_KEYS):
        shelf.put(key, 2222, b"", {"Content-Type": "text/csv"})
    return shelf.files


def large_objects(seed: int) -> list[StoredObject]:
    """Objects above the 32 MiB up to which one PUT would do: single, in even parts, in uneven parts."""
    shelf = _Shelf(seed, start=500)
    shelf.put("customs/scans/plan-A0.tif", 40 * MIB + 11, _TIFF, {"Content-Type": "image/tiff"})
    shelf.put("archive/2024/all-slips.pdf", 36 * MIB, _PDF, _PDF_HEADERS, checksum="CRC64NVME")
    shelf.put("exports/even.bin", 48 * MIB, b"", {}, part_sizes=(8 * MIB,) * 6)
    uneven = (9 * MIB + 1, 5 * MIB, 7 * MIB + 333, 20 * MIB, 777)
    shelf.put("exports/uneven.bin", sum(uneven), b"", {}, part_sizes=uneven)
    parts = (5 * MIB, 6 * MIB + 5)
    shelf.put("exports/in-parts.pdf", sum(parts), _PDF, _PDF_HEADERS, part_sizes=parts, checksum="CRC64NVME")
    shelf.put("customs/scans/one-put.tif", 17 * MIB, _TIFF, {"Content-Type": "image/tiff"})
    return shelf.files


def overwritten_objects(seed: int) -> tuple[StoredObject, ...]:
    """Newer versions of two objects, and one object that exists only since versioning."""
    shelf = _Shelf(seed, start=900, edition="second")
    for key in OVERWRITTEN_KEYS:
        shelf.put(key, 3333, b"", {"Content-Type": "text/csv", "Cache-Control": "no-store"})
    shelf.put("reports/since-versioning.csv", 4444, b"", {"Content-Type": "text/csv"}, checksum="SHA256")
    return tuple(shelf.files)


def deleted_keys() -> tuple[str, ...]:
    """Keys that get a delete marker: their bytes are still in the bucket, but not of today."""
    return DELETED_KEYS


class _Shelf:
    """Collects objects; each is written an hour after the one before."""

    def __init__(self, seed: int, start: int = 0, edition: str = "first") -> None:
        self.files: list[StoredObject] = []
        self._label = f"{seed}:{edition}"
        self._clock = _FROM + timedelta(hours=start)

    def put(
        self, key: str, size: int, magic: bytes, headers: dict[str, str], **traits: Unpack[ObjectTraits]
    ) -> None:
        self.put_content(key, Content(f"{self._label}:{key}", size, magic), headers, **traits)

    def put_gzipped(
        self, key: str, size: int, headers: dict[str, str], **traits: Unpack[ObjectTraits]
    ) -> None:
        """`size` bytes of text before they are compressed."""
        self.put_content(key, Content(f"{self._label}:{key}", size, gzipped=True), headers, **traits)

    def put_content(
        self, key: str, content: Content, headers: dict[str, str], **traits: Unpack[ObjectTraits]
    ) -> None:
        written = self._clock + timedelta(hours=len(self.files))
        traits.setdefault("encrypted", written.hour % 2 == 0)
        self.files.append(StoredObject(key, content, written, headers, **traits))


def _with_headers(shelf: _Shelf) -> None:
    everything = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": "attachment; filename=\"umsatz.csv\"; filename*=UTF-8''umsatz%20m%C3%A4rz.csv",
        "Content-Encoding": "gzip",
        "Content-Language": "de-DE, en",
        "Cache-Control": "public, max-age=31536000, immutable",
    }
    names = {"invoice-number": "2026-0815", "printed-by": "worker 7", "tenant": "acme", "2nd-copy": "no"}
    shelf.put_gzipped("exports/umsatz.csv.gz", 90_000, everything, metadata=names)
    brief = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    shelf.put_gzipped("exports/plain.json.gz", 9000, brief)
    shelf.put("exports/no-type.dat", 1234, b"", {})  # S3 then says binary/octet-stream
    shelf.put("exports/empty.csv", 0, b"", {"Content-Type": "text/csv"})
    german = {**_PDF_HEADERS, "Content-Language": "de"}
    metadata = {"order-id": "4711", "order_note": "two words", "class": "A"}
    shelf.put("invoices/labelled.pdf", 8000, _PDF, german, metadata=metadata)


def _with_classes(shelf: _Shelf) -> None:
    shelf.put(GLACIER_KEY, 7000, _PDF, _PDF_HEADERS, storage_class="GLACIER")
    shelf.put("archive/2023/index.pdf", 7000, _PDF, _PDF_HEADERS, storage_class="STANDARD_IA")
    shelf.put("archive/2022/index.pdf", 7000, _PDF, _PDF_HEADERS, storage_class="GLACIER_IR")
    shelf.put(REFUSED_KEY, 600, _PDF, _PDF_HEADERS)
    shelf.put(PLACEHOLDER_KEY, 0, b"", {"Content-Type": "application/x-directory"})


def _in_small_parts(shelf: _Shelf) -> None:
    shelf.put("exports/one-part.bin", 70_000, b"", {}, part_sizes=(70_000,))
    made_by = {"made-by": "worker 3"}
    shelf.put("exports/two-parts.bin", 5 * MIB + 3, b"", {}, part_sizes=(5 * MIB, 3), metadata=made_by)
    shelf.put("exports/uneven-small.pdf", 5 * MIB + 250_001, _PDF, _PDF_HEADERS, part_sizes=(5 * MIB + 250_000, 1))
