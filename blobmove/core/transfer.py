"""Whether Azure may pull an object from S3 by itself, by which proof, and when to stop asking it to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from blobmove.core.blocks import MIB
from blobmove.core.errors import Kind, PullRefused, Side, StoreError
from blobmove.core.frozen import frozen
from blobmove.core.model import Proof
from blobmove.core.proof import Evidence, etag_md5
from blobmove.core.settings import Route

if TYPE_CHECKING:
    from blobmove.core.model import RailsFacts

MAX_WHOLE_BYTES: Final = 5000 * MIB
"""Put Blob From URL takes no larger source (azure-blob.md section 1.1)."""

URL_LIMIT: Final = 2048
"""Characters of `x-ms-copy-source` (azure-blob.md section 1.4). Temporary credentials can make longer URLs."""

REFUSALS: Final = 10
"""Pulls refused in a row, all of objects that could then be streamed, after which `auto` asks no more."""

PATIENCE: Final = 3
"""Attempts at a pull that Azure fails without naming the source's own answer, before it counts as refused."""

SERVER_SIDE: Final = "server-side"
"""The note of an object that Azure pulled."""

CANNOT_PULL: Final = "CannotPull"
"""The code of an object that only `--transfer server` could have moved: S3 gives it to us, but not to Azure."""

URL_TOO_LONG: Final = "UrlTooLong"

# No character that must be percent-encoded but `=`, no empty segment, none that ends in a dot: Azure normalises the
# path of a source, and a signature does not survive that (azure-blob.md section 1.4).
_PLAIN: Final = re.compile(r"(?:[A-Za-z0-9_.=-]*[A-Za-z0-9_=-]/)*[A-Za-z0-9_.=-]*[A-Za-z0-9_=-]\Z").match

_SERVED_AS_BINARY: Final = frozenset({
    "text/html", "text/javascript", "image/svg+xml", "application/postscript", "application/x-shockwave-flash",
    "text/xml", "application/xml", "application/xhtml+xml", "application/mathml+xml", "text/cache-manifest",
})  # fmt: skip
"""Types that Rails stores in S3 as application/octet-stream, to be saved and not shown: the row must not undo that."""


class Way(Enum):
    """How one object can be moved."""

    STREAM = auto()  # its bytes must pass here
    WHOLE = auto()   # Put Blob From URL
    BLOCKS = auto()  # Put Block From URL
    ASK = auto()     # S3 must be asked for headers and checksums first


@frozen
class Pull:
    """A way and its proof. `md5`: of the whole, what Azure is told to find; `crc64`: what the blocks must join to."""

    way: Way
    proof: Proof | None = None
    md5: bytes = b""
    crc64: bytes = b""


_STREAM: Final = Pull(Way.STREAM)
_ASK: Final = Pull(Way.ASK)


def is_plain(key: str) -> bool:
    """Whether a key comes through Azure's handling of URLs unharmed."""
    return _PLAIN(key) is not None


def content_type_of_row(rails: RailsFacts | None) -> str | None:
    """The content type to write without asking S3, or None where the row does not tell, or not the whole truth."""
    return None if rails is None else _told_type(rails.content_type)


@lru_cache(maxsize=4096)
def _told_type(told: str | None) -> str | None:
    """Kept, since the rows of a company differ in few of these."""
    if not told or told in _SERVED_AS_BINARY or not (told.isascii() and told.isprintable()):
        return None
    return None if told.partition(";")[0].strip().lower() in _SERVED_AS_BINARY else told


def way_of(evidence: Evidence, size: int, *, described: bool, most: int = MAX_WHOLE_BYTES) -> Pull:
    """How an object of `size` bytes can be pulled with a proof that needs none of its bytes here.

    `described`: S3 has been asked, so encryption and checksums are its word; else ASK may be the answer. `most`: the
    largest size of a single request. Nothing is committed before it is proven, so a whole needs an MD5 for Azure to
    compare (S3's, or Rails' where the sizes agree). Of blocks Azure answers the CRC-64s, which are proof before the
    commit; but it stores whatever MD5 it is then told, so S3's own is needed, too.
    """
    rails = evidence.rails
    told = rails.md5 if rails is not None and rails.size == size else None
    if size <= 0 or evidence.encryption == "SSE-C" or (rails is not None and rails.sha256 is not None):
        return _STREAM  # nothing to gain; a key we do not have; a row that only the bytes can be compared with
    known = etag_md5(evidence.etag, evidence.encryption)
    # A listing does not name the encryption: an ETag of 32 digits may then be no MD5. Two records that agree are one.
    certain = known is not None and (described or evidence.encryption is not None or known == told)
    if not certain and not described and (known is not None or told is None):
        return _ASK
    if size > most:
        return _blocks(evidence, known if certain else None) if described else _ASK
    if known is not None and certain:
        return Pull(Way.WHOLE, Proof.ETAG_MD5, known)
    return Pull(Way.WHOLE, Proof.RAILS_MD5, told) if told is not None else _STREAM


def _blocks(evidence: Evidence, md5: bytes | None) -> Pull:
    crc64 = next((one.value for one in evidence.stored if one.algorithm == "crc64nvme" and one.parts is None), None)
    return _STREAM if md5 is None or crc64 is None else Pull(Way.BLOCKS, Proof.CRC64NVME, md5, crc64)


def streams_instead(error: StoreError, route: Route) -> bool:
    """Whether an object is streamed after this failure of a pull; else the failure stands.

    In any case where the bytes came otherwise than the checksum said, since only they can tell who is wrong, and where
    another writer is at work on the blob. Under `auto` also where Azure refused for a reason that need not concern us:
    the stream finds out the truth.
    """
    if error.kind in (Kind.CORRUPT, Kind.DISTURBED) or error.code == URL_TOO_LONG:
        return True
    if route is not Route.AUTO:
        return False
    if error.kind in (Kind.REJECTED, Kind.DENIED, Kind.STOP_ACCESS):
        return True
    return error.kind is Kind.EXPIRED and error.side is Side.SOURCE


def is_source_s_word(refusal: PullRefused, kind: Kind) -> bool:
    """Whether the source's answer, of this kind, holds for us as well as for Azure.

    Not so for a 403: the bucket may be closed to all but our network. Without a code of S3's own it is not even known
    that S3 was reached.
    """
    return bool(refusal.source_code) and kind in _SAME_FOR_ALL


_SAME_FOR_ALL: Final = frozenset({
    Kind.MISSING, Kind.CHANGED, Kind.ARCHIVED, Kind.THROTTLED, Kind.TRANSIENT, Kind.EXPIRED,
})  # fmt: skip


@dataclass(slots=True)
class Pulling:
    """Whether Azure is still asked to pull, in one run. `given_up` is the code after which it is not any more."""

    in_a_row: int = 0
    given_up: str = ""

    def worked(self) -> None:
        """Azure has pulled an object."""
        self.in_a_row = 0

    def refused(self, code: str) -> bool:
        """Azure did not pull an object that could be streamed; True when it is now given up."""
        self.in_a_row += 1
        if self.given_up or self.in_a_row < REFUSALS:
            return False
        self.given_up = code
        return True
