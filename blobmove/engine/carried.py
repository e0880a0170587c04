"""MD5s that go on in another process: their state as a value, fed by the library that Python's own hashlib uses."""

from __future__ import annotations

import ctypes
import hashlib
from functools import cache
from typing import Any, Final

import anyio
from anyio import to_thread

from blobmove.core.blocks import Block
from blobmove.core.frozen import frozen

_FIRST: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
"""The words an MD5 begins with (RFC 1321, section 3.3)."""


class _Context(ctypes.Structure):
    """`MD5_CTX` of OpenSSL's md5.h: the four words, the length in bits, and what is not a whole block of 64 yet."""

    _fields_ = (("words", ctypes.c_uint32 * 4), ("bits_low", ctypes.c_uint32), ("bits_high", ctypes.c_uint32),
                ("rest", ctypes.c_ubyte * 64), ("rest_length", ctypes.c_uint))


@frozen
class Md5State:
    """An MD5 that is not at its end: after `length` bytes, of which the last ones, `rest`, are no whole block yet.

    hashlib keeps this to itself. It is the same for every implementation, and can be pickled.
    """

    words: tuple[int, ...] = _FIRST
    length: int = 0
    rest: bytes = b""

    def fed(self, body: Any) -> Md5State:  # noqa: ANN401 - anything with the buffer protocol
        """The state after these bytes, too. Lets other threads run meanwhile. Ask `can_carry` first."""
        context, view = self._context(), memoryview(body).cast("B")
        given = (ctypes.c_char * len(view)).from_buffer(bytearray(view) if view.readonly else view)
        _library().MD5_Update(ctypes.byref(context), given, ctypes.c_size_t(len(view)))
        return Md5State(tuple(context.words), self.length + len(view), bytes(context.rest)[:context.rest_length])

    def digest(self) -> bytes:
        """The MD5, if these are all the bytes."""
        found = ctypes.create_string_buffer(16)
        _library().MD5_Final(found, ctypes.byref(self._context()))
        return found.raw

    def _context(self) -> _Context:
        bits = self.length * 8
        made = _Context((ctypes.c_uint32 * 4)(*self.words), bits & 0xFFFFFFFF, bits >> 32 & 0xFFFFFFFF)
        ctypes.memmove(made.rest, self.rest, len(self.rest))
        made.rest_length = len(self.rest)
        return made


@cache
def _library() -> ctypes.CDLL:
    """OpenSSL as hashlib has loaded it. Raises ImportError or OSError where there is none of its own."""
    import _hashlib

    return ctypes.CDLL(_hashlib.__file__)


@cache
def can_carry() -> bool:
    """Whether an MD5 can be carried from here: tried, since a Python may have OpenSSL within itself, or none."""
    text = bytes(range(256)) * 5
    try:
        known, state = hashlib.md5(text).digest(), Md5State()  # refused here, MD5 is not tried below either
        for start, end in ((0, 1), (1, 64), (64, 1000), (1000, 1280)):
            state = state.fed(text[start:end])
        return state.digest() == known
    except (ImportError, OSError, AttributeError, TypeError, ValueError):
        return False


@frozen
class Carried:
    """How far the MD5s of one object have come: of the whole, and of the part that is not at its end yet.

    `at` is the offset in bytes of the next block. `part` is None where those of the parts are not asked for.
    """

    whole: Md5State = Md5State()
    part: Md5State | None = None
    part_index: int = 0
    at: int = 0

    async def fed(self, block: Block, body: Any) -> tuple[Carried, bytes | None]:  # noqa: ANN401 - a buffer
        """How far after the next block, and the MD5 of the part before it where a new one begins.

        Raises ValueError for any other block than the next: nobody may notice a wrong MD5 of the whole later.
        """
        if block.offset != self.at or block.length != len(body):
            raise ValueError(f"the block at {block.offset} is not the one at {self.at}")
        part, closed = self.part, None
        if part is not None and block.part != self.part_index:
            part, closed = Md5State(), part.digest()
        found: dict[str, Md5State] = {}

        async def feed(name: str, state: Md5State) -> None:
            found[name] = await to_thread.run_sync(state.fed, body)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed, "whole", self.whole)
            if part is not None:
                tasks.start_soon(feed, "part", part)
        return Carried(found["whole"], found.get("part"), block.part, block.offset + block.length), closed
