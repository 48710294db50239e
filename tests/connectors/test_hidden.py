"""Nobody in a room notices that we come, lose our signalling, and go."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest
import pytest_asyncio

from egress.call.model import Connected, Disconnected, Left, TrackRemoved
from tests.connectors.attended import Attended
from tests.connectors.call import ANA, AUDIO, BEN, VIDEO, specs
from tests.connectors.order import misorders
from tests.connectors.shown import longest_gap
from tests.connectors.site import Site
from tests.connectors.sites import connectors
from tests.rig.door import Door

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(slots=True)
class Visit:
    """What came of it, and what the witness had seen at which moment."""

    attended: Attended
    noticed: list[str]
    """From before we came to after we had gone."""
    noticed_later: list[str]
    """Of somebody who is not hidden."""
    present: list[list[str]]
    """Before, while and after we were there."""
    recording: list[bool | None]
    cut: float
    there: set[str]
    """Who was received before our signalling was cut."""
    there_again: set[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visit(site: Site) -> Visit:
    guests = (ANA, BEN)
    async with site.room(specs(site, *guests)) as room:
        await asyncio.gather(*(room.join(guest) for guest in guests))
        async with room.witness() as witness, Door(room.address) as door:
            # What of the guests' coming was still under way is not ours.
            await asyncio.sleep(1.0)
            before = len(witness.noticed)
            present, recording = [await witness.present()], [witness.recording]
            async with Attended(site, door.address) as attended:
                there = await attended.flows(guests, time.monotonic())
                await asyncio.sleep(1.0)
                present.append(await witness.present())
                recording.append(witness.recording)
                cut = time.monotonic()
                door.cut()
                await attended.until(lambda: len(attended.events(Connected)) == 2)
                again = await attended.flows(guests, time.monotonic())
                await asyncio.sleep(0.5)
            present.append(await witness.present())
            await attended.until(lambda: not witness.recording)
            await asyncio.sleep(1.0)
            recording.append(witness.recording)
            noticed = witness.noticed[before:]
            await room.leave(BEN)
            await attended.until(lambda: len(witness.noticed) > before + len(noticed))
            return Visit(
                attended,
                noticed,
                witness.noticed[before + len(noticed) :],
                present,
                recording,
                cut,
                set(there),
                set(again),
            )


@connectors()
async def test_no_guest_is_told_of_us(visit: Visit) -> None:
    assert visit.there == {ANA, BEN}
    assert visit.noticed == []
    assert visit.noticed_later, "a witness would have been told"


@connectors()
async def test_we_do_not_count(visit: Visit) -> None:
    before, during, after = visit.present
    assert before == during == after
    assert len(before) >= 2


@connectors()
async def test_the_sign_of_recording_is_lit_while_we_record(visit: Visit) -> None:
    assert visit.recording in ([False, True, False], [None, None, None])


@connectors()
async def test_lost_signalling_is_found_again(visit: Visit) -> None:
    assert visit.attended.error is None
    assert visit.there_again == {ANA, BEN}
    assert len(visit.attended.events(Disconnected)) == 1
    assert len(visit.attended.events(Connected)) == 2
    assert misorders([event for _, event in visit.attended.told]) == []
    assert visit.attended.left_over == []


@connectors(resume=True)
async def test_media_goes_on_while_signalling_is_lost(visit: Visit) -> None:
    assert not visit.attended.events(TrackRemoved, Left)
    for guest in (ANA, BEN):
        for type_, clock_rate in ((AUDIO, 48_000), (VIDEO, 90_000)):
            [track] = visit.attended.tracks(guest, type_)
            assert track.frames[-1].arrival > visit.cut + 0.5
            assert longest_gap(track.frames, clock_rate) < 0.15
