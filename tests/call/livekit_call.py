"""A room of a real LiveKit with exact guests, and the attendance that is tested there."""

from __future__ import annotations

from typing import Any

from egress.call.connector import Attending
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.attendance import LivekitAttendance
from egress.call.model import Joined, TrackType
from egress.rtc.ice_settings import IceSettings
from tests.call.listener import Listener
from tests.rig.guests import Guests, GuestSpec
from tests.rig.livekit import LivekitServer

AUDIO, VIDEO = TrackType.AUDIO, TrackType.VIDEO


def guests_in(livekit: LivekitServer, room: str, *specs: GuestSpec) -> Guests:
    return Guests(livekit.call(list(specs), room))


def attend(livekit: LivekitServer, room: str, *, recording: bool = True, **more: Any) -> Listener:
    given = {"api_key": livekit.api_key, "api_secret": livekit.api_secret, "url": livekit.url, **more}
    address = LivekitAddress(room=room, **{name: value for name, value in given.items() if value is not None})
    attending = Attending("default:test", IceSettings(networks=[livekit.host_network]), recording=recording)
    return Listener(LivekitAttendance(address, attending))


async def session_of(call: Listener, user_id: str, number: int = 1) -> str:
    """The session id of a user's ``number``-th coming."""

    def joined() -> list[str]:
        return [e.participant.session_id for e in call.told(Joined) if e.participant.user_id == user_id]

    await call.until(lambda: len(joined()) >= number)
    return joined()[number - 1]
