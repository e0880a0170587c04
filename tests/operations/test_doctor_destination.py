"""What `doctor` makes of Azure's answers that no emulator gives: the kind of account, rights that end half-way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from blobmove.core.diagnosis import Finding, Level
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.operations import doctor_destination
from blobmove.operations.doctor_destination import PROBE_BYTES, _account, _probe
from blobmove.stores.azure.blobs import ABSENT, BlobFacts, Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blobmove.stores.azure.blobs import AzureBlobs

pytestmark = pytest.mark.anyio


@dataclass
class Blobs:
    """A container in memory; `refuses` names operations that are not allowed, `spoils` changes what is read."""

    headers: Mapping[str, str] = field(default_factory=dict)
    refuses: tuple[str, ...] = ()
    spoils: bool = False
    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)

    def _may(self, what: str) -> None:
        if what in self.refuses:
            raise StoreError(Side.DESTINATION, Kind.STOP_ACCESS, "AuthorizationPermissionMismatch", status=403)

    async def account(self) -> Mapping[str, str]:
        self._may("account")
        return self.headers

    async def put_blob(self, name: str, body: bytes, *, condition: Condition = ABSENT, **_how: object) -> str:
        self._may("write")
        before = self.stored.get(name, (None, b""))[0]
        assert condition.if_match == before, "only where nothing is, or exactly our own"
        self.names.append(name)
        self.stored[name] = (f"etag-{len(self.names)}", bytes(body))
        return self.stored[name][0]

    async def read(self, name: str, offset: int, length: int, *, etag: str) -> bytes:
        self._may("read")
        assert self.stored[name][0] == etag
        body = self.stored[name][1][offset:offset + length]
        return b"\0" + body[1:] if self.spoils else body

    async def delete(self, name: str, etag: str) -> None:
        self._may("delete")
        if self.stored[name][0] != etag:
            raise StoreError(Side.DESTINATION, Kind.EXISTS, "ConditionNotMet", status=412)
        del self.stored[name]

    async def properties(self, name: str) -> BlobFacts | None:
        self.looked_for.append(name)
        if name not in self.stored:
            return None
        etag, body = self.stored[name]
        return BlobFacts(len(body), None, etag, None)


async def account(blobs: Blobs) -> Finding:
    found: list[Finding] = []
    await _account(cast("AzureBlobs", blobs), found.append)
    return found[0]


async def probe(blobs: Blobs) -> list[Finding]:
    found: list[Finding] = []
    await _probe(cast("AzureBlobs", blobs), found.append)
    return found


async def test_a_hierarchical_namespace_is_a_failure() -> None:
    found = await account(Blobs({"x-ms-account-kind": "StorageV2", "x-ms-sku-name": "Standard_LRS",
                                 "x-ms-is-hns-enabled": "true"}))
    assert (found.level, found.code, found.exit_code) == (Level.FAILURE, "E400-HNS", 2)
    flat = await account(Blobs({"x-ms-account-kind": "StorageV2", "x-ms-sku-name": "Standard_LRS",
                                "x-ms-is-hns-enabled": "false"}))
    assert (flat.level, flat.text) == (Level.OK, "StorageV2 Standard_LRS, flat namespace")


async def test_the_oldest_kind_of_account_is_worth_a_word() -> None:
    assert (await account(Blobs({"x-ms-account-kind": "Storage"}))).level is Level.WARNING


async def test_who_may_not_ask_for_the_kind_is_told_how_to_look() -> None:
    found = await account(Blobs(refuses=("account",)))
    assert found.level is Level.OK
    assert "isHnsEnabled" in found.hint


async def test_a_probe_leaves_nothing_and_never_takes_a_name_twice() -> None:
    blobs = Blobs()
    found = await probe(blobs) + await probe(blobs)
    assert {finding.level for finding in found} == {Level.OK}
    assert blobs.stored == {}
    assert len(set(blobs.names)) == 2
    assert found[1].figures["bytes"] == PROBE_BYTES


async def test_a_probe_that_may_not_delete_names_what_it_left() -> None:
    blobs = Blobs(refuses=("delete",))
    found = await probe(blobs)
    assert found[0].level is Level.WARNING
    assert next(iter(blobs.stored)) in found[0].text
    assert "write, read allowed" in found[1].text


async def test_a_probe_that_may_not_read_removes_its_blob_all_the_same() -> None:
    blobs = Blobs(refuses=("read",))
    with pytest.raises(StoreError):
        await probe(blobs)
    assert blobs.stored == {}


async def test_bytes_that_come_back_otherwise_are_a_failure() -> None:
    blobs = Blobs(spoils=True)
    (found,) = await probe(blobs)
    assert (found.level, found.code) == (Level.FAILURE, "E422-PROBE")
    assert blobs.stored == {}


async def test_a_blob_whose_last_answer_was_lost_is_found_again_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs()
    put = blobs.put_blob

    async def loses_the_second(name: str, body: bytes, **how: object) -> str:
        etag = await put(name, body, **how)  # type: ignore[arg-type]
        if len(blobs.names) == 2:
            raise StoreError(Side.DESTINATION, Kind.TRANSIENT, "ConnectionLost")
        return etag

    monkeypatch.setattr(blobs, "put_blob", loses_the_second)
    with pytest.raises(StoreError):
        await probe(blobs)
    assert blobs.stored == {}


async def test_a_blob_whose_first_answer_was_lost_is_found_and_removed_or_else_named(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs()
    put = blobs.put_blob

    async def loses(name: str, body: bytes, **how: object) -> str:
        await put(name, body, **how)  # type: ignore[arg-type]
        raise StoreError(Side.DESTINATION, Kind.TRANSIENT, "ConnectionLost")

    monkeypatch.setattr(blobs, "put_blob", loses)
    with pytest.raises(StoreError):
        await probe(blobs)
    assert (len(blobs.names), blobs.stored) == (1, {})
    blobs.refuses = ("delete",)
    found: list[Finding] = []
    with pytest.raises(StoreError, match="ConnectionLost"):
        await _probe(cast("AzureBlobs", blobs), found.append)
    assert found[0].level is Level.WARNING
    assert next(iter(blobs.stored)) in found[0].text


async def test_a_probe_that_is_given_up_during_its_first_write_removes_what_it_wrote(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs()
    put = blobs.put_blob

    async def never_answers(name: str, body: bytes, **how: object) -> str:
        await put(name, body, **how)  # type: ignore[arg-type]
        await anyio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(blobs, "put_blob", never_answers)
    with anyio.move_on_after(0.05) as scope:
        await probe(blobs)
    assert scope.cancelled_caught
    assert (len(blobs.names), blobs.stored) == (1, {})


async def test_a_probe_that_may_not_write_has_nothing_to_look_for() -> None:
    blobs = Blobs(refuses=("write", "delete"))
    found: list[Finding] = []
    with pytest.raises(StoreError):
        await _probe(cast("AzureBlobs", blobs), found.append)
    assert (found, blobs.looked_for) == ([], [])


async def test_a_removal_that_gets_no_answer_is_not_called_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs()

    async def never_answers(_name: str, _etag: str) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(blobs, "delete", never_answers)
    monkeypatch.setattr(doctor_destination, "REMOVAL_SECONDS", 0.05)
    found = await probe(blobs)
    assert found[0].level is Level.WARNING
    assert next(iter(blobs.stored)) in found[0].text
    assert "write, read allowed" in found[1].text
