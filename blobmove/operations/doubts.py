"""Refusals that may be about one object or about everything: held back, and decided at the latest at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from blobmove.core.circuit import Circuit, Doubt
from blobmove.core.errors import BlobmoveError, Kind, Side
from blobmove.core.frozen import frozen
from blobmove.core.model import Outcome
from blobmove.operations.running import Frame
from blobmove.operations.troubles import general

Result = Outcome | Doubt | None
"""What a mover comes back with; None: the run had to stop, the object stays as it was."""

Probe = Callable[[Side], Awaitable[None]]
"""Asks a side whether it is well at all; raises BlobmoveError if not."""


@frozen
class Doubts:
    """Turns results into the outcomes that stand, and stops the run where a refusal is general.

    `source_gives` asks S3 for an object that it has given before; False where there is none to ask for.
    """

    frame: Frame
    circuit: Circuit
    probe: Probe
    source_gives: Callable[[], Awaitable[bool]]

    async def cleared(self, results: Sequence[Result]) -> list[Outcome]:
        """The outcomes of these results that are beyond doubt, and of earlier ones that are so now."""
        outcomes = [result for result in results if isinstance(result, Outcome)]
        if len(outcomes) == len(results) and self.circuit.all_settled({outcome.state for outcome in outcomes}):
            return outcomes  # nearly always
        outcomes = []
        for result in results:
            if isinstance(result, Doubt):
                if self.frame.stop.is_set():
                    continue  # nobody waits while a run drains, so this one was not really tried: it stays pending
                if self.circuit.doubted(result):
                    outcomes += await self._many(result)
            elif result is not None:
                outcomes += self.circuit.settled(result)
        return outcomes

    async def _many(self, doubt: Doubt) -> list[Outcome]:
        """So many refusals in a row: about these objects (say one prefix), or about everything?

        S3 is asked for a byte of an object that it gave before. If it gives it, the refusals stand as they are.
        """
        if doubt.kind is Kind.DENIED and doubt.side is Side.SOURCE and await self.source_gives():
            self.circuit.open = False
            return self.circuit.release(doubt.side)
        self.frame.stop_for(general(doubt))
        return []

    async def at_the_end(self) -> AsyncIterator[list[Outcome]]:
        """Some refusals are still in doubt: each side is asked whether it is well. Yields what stands, side by side.

        A bucket may be listed by who must not read its objects, nor write any: a side that has done nothing of what
        it was asked in this run is asked for an object, too, where that can tell.
        """
        for side in self.circuit.sides():
            held = next(doubt for doubt in self.circuit.held if doubt.side is side)
            try:
                await self.probe(side)
            except BlobmoveError as error:
                self.frame.stop_for(error)
                return
            denial = self.circuit.unproven(side)
            general_denial = denial and not (side is Side.SOURCE and await self.source_gives())
            if held.kind is Kind.UNREACHABLE or general_denial:
                self.frame.stop_for(general(denial or held))
                return
            yield self.circuit.release(side)
