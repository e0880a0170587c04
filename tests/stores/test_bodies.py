"""Memory for bodies: used again when nobody looks at it any more, and never before."""

from __future__ import annotations

import pytest

from blobmove.stores import bodies
from blobmove.stores.bodies import KEPT_BYTES, LEAST_BYTES, Bodies

LARGE = 5 * 1024 * 1024
linux = pytest.mark.skipif(bodies._HUGE is None, reason="memory is used again on Linux only")


def _place(body: bytearray | memoryview) -> int:
    """Which memory it is."""
    assert isinstance(body, memoryview)
    return id(body.obj)


@pytest.mark.parametrize("size", [0, 1, LEAST_BYTES - 1, LEAST_BYTES, LARGE, LARGE + 1])
def test_memory_has_the_size_asked_for_and_can_be_written(size: int) -> None:
    body = Bodies().take(size)
    body[:] = b"x" * size

    assert (len(body), bytes(body[-1:])) == (size, b"x" if size else b"")


@linux
def test_memory_is_used_again_when_nobody_looks_at_it() -> None:
    pool = Bodies()
    body = pool.take(LARGE)
    first = _place(body)
    del body

    assert _place(pool.take(LARGE - 1000)) == first


@linux
def test_a_body_that_somebody_still_looks_at_is_let_alone() -> None:
    pool = Bodies()
    body = pool.take(LARGE)
    body[:5] = b"still"
    first, part = _place(body), memoryview(body)[2:5]
    del body
    other = pool.take(LARGE)
    other[:] = b"x" * LARGE
    again = pool.take(LARGE)

    assert first not in (_place(other), _place(again))
    assert bytes(part) == b"ill"
    del part
    assert _place(pool.take(LARGE)) == first


@linux
@pytest.mark.parametrize("size", [LARGE // 2, LARGE * 2])
def test_a_body_takes_no_memory_of_quite_another_size(size: int) -> None:
    pool = Bodies()
    first = _place(pool.take(LARGE))

    assert _place(pool.take(size)) != first


@linux
def test_what_is_kept_has_a_limit() -> None:
    pool = Bodies()
    held = [pool.take(KEPT_BYTES // 4) for _ in range(10)]
    places = {_place(one) for one in held}
    del held[:8]
    pool.trim()

    assert len(pool._pages) == 2 + 4
    assert {id(one) for one in pool._pages} < places
    del held
    pool.trim(0)
    assert pool._pages == []


@linux
def test_what_is_not_used_again_is_given_back_for_what_is() -> None:
    pool = Bodies()
    for megabytes in range(1, 60):
        pool.take(megabytes << 20)

    assert sum(map(len, pool._pages)) <= KEPT_BYTES + (59 << 20) * 5 // 4


def test_a_kernel_without_huge_pages_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_HUGE", 10_000)
    assert len(Bodies().take(LARGE)) == LARGE
    monkeypatch.setattr(bodies, "_HUGE", None)
    assert isinstance(Bodies().take(LARGE), bytearray)
