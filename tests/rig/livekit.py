"""A real LiveKit in a network namespace of its own, with what its API tells about rooms.

The server is built from Go (:mod:`tests.rig.servers.built`) and runs inside a namespace (:mod:`tests.rig.namespace`).
:func:`why_not` says what is missing for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message
from livekit.protocol import models, room

from tests.rig import livekit_token, namespace
from tests.rig.guests import Call, GuestSpec
from tests.rig.livekit_token import signed
from tests.rig.servers import built
from tests.rig.sfu import Sfu, http_client

VERSION = "v1.13.1"
ROOM = "call"
"""A room for tests that need but one."""
EMPTY_TIMEOUT = 10
"""Seconds that a room which was made by the API waits for somebody."""
ACTIVE_LEVEL = 35
"""LiveKit's own default: the hum of the rig's guests is too soft to be speech."""
DEPARTURE_TIMEOUT = 5
"""Seconds that a room stays after the last one left."""

_Answer = TypeVar("_Answer", bound=Message)


class ApiError(Exception):
    """The server's API refused; ``code`` is Twirp's, for example ``not_found``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def why_not() -> str | None:
    """One line on why no LiveKit can be started here, or None. Meant for :mod:`tests.rig.required`."""
    return namespace.why_not() or built.why_not("livekit", VERSION)


class LivekitServer(Sfu):
    """``async with LivekitServer() as livekit``: a running server, gone with its namespace at the end.

    Without ``auto_create`` a room is there only when :meth:`create_room` has made it. ``active_level`` is how many dB
    below the loudest somebody speaks at least.
    """

    name = "livekit"
    api_key = "rig"
    api_secret = "a-secret-of-the-rig-for-tests-only-0123456789"

    def __init__(self, *, auto_create: bool = True, active_level: int = ACTIVE_LEVEL) -> None:
        super().__init__()
        self._auto_create = auto_create
        self._active_level = active_level
        self._program = Path()

    @property
    def url(self) -> str:
        """What clients are given."""
        return f"ws://{self.address}:7880"

    @property
    def http_url(self) -> str:
        """What users of the API are given."""
        return f"http://{self.address}:7880"

    @property
    def probe_url(self) -> str:
        return self.http_url

    async def prepare(self) -> None:
        if reason := why_not():
            raise RuntimeError(reason)
        package = "github.com/livekit/livekit-server/cmd/server"
        self._program = await asyncio.to_thread(built.binary, "livekit", VERSION, package)

    def write_config(self) -> None:
        self._config_file.write_text(self._config())

    def command(self) -> list[str]:
        return [str(self._program), "--config", str(self._config_file)]

    @property
    def _config_file(self) -> Path:
        return self.folder / "livekit.yaml"

    def call(self, guests: list[GuestSpec], room: int | str | None = None) -> Call:
        """Where guests of the rig go."""
        return Call(
            self.url,
            room or ROOM,
            self.host_address,
            guests,
            kind="livekit",
            api_key=self.api_key,
            api_secret=self.api_secret,
        )

    def connector(self, room: int | str | None = None) -> dict[str, Any]:
        """The room as a message to the product names it."""
        key = {"api_key": self.api_key, "api_secret": self.api_secret}
        return {"type": "livekit", "url": self.url, "room": room or ROOM, **key}

    def token(
        self,
        identity: str,
        room: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        valid: float = 3600.0,
        **grants: Any,
    ) -> str:
        """What :func:`tests.rig.livekit_token.token` makes, with this server's key."""
        return livekit_token.token(
            self.api_key,
            self.api_secret,
            identity,
            room,
            name=name,
            metadata=metadata,
            attributes=attributes,
            valid=valid,
            **grants,
        )

    async def rooms(self) -> list[models.Room]:
        return list((await self._ask("ListRooms", room.ListRoomsRequest(), room.ListRoomsResponse)).rooms)

    async def create_room(self, name: str, **options: Any) -> models.Room:
        """``options`` are the fields of ``CreateRoomRequest``: ``empty_timeout``, ``max_participants``, …."""
        return await self._ask("CreateRoom", room.CreateRoomRequest(name=name, **options), models.Room)

    async def delete_room(self, name: str) -> None:
        """Close a room; everybody in it is told."""
        await self._ask("DeleteRoom", room.DeleteRoomRequest(room=name), room.DeleteRoomResponse)

    async def update_room_metadata(self, name: str, metadata: str) -> models.Room:
        return await self._ask(
            "UpdateRoomMetadata", room.UpdateRoomMetadataRequest(room=name, metadata=metadata), models.Room
        )

    async def participants(self, name: str, hidden: bool = True) -> list[models.ParticipantInfo]:
        """Who is in the room, with those who are hidden or without; nobody when there is no such room."""
        try:
            asked = room.ListParticipantsRequest(room=name)
            there = (await self._ask("ListParticipants", asked, room.ListParticipantsResponse)).participants
        except ApiError as error:
            if error.code == "not_found":
                return []
            raise
        return [one for one in there if hidden or not one.permission.hidden]

    async def remove_participant(self, name: str, identity: str) -> None:
        asked = room.RoomParticipantIdentity(room=name, identity=identity)
        await self._ask("RemoveParticipant", asked, room.RemoveParticipantResponse)

    async def update_participant(
        self,
        name: str,
        identity: str,
        *,
        display: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        permission: models.ParticipantPermission | None = None,
    ) -> models.ParticipantInfo:
        """Change what is given: the display name, the metadata, single attributes, all permissions."""
        asked = room.UpdateParticipantRequest(
            room=name,
            identity=identity,
            name=display,
            metadata=metadata,
            attributes=dict(attributes or {}),
            permission=permission,
        )
        return await self._ask("UpdateParticipant", asked, models.ParticipantInfo)

    async def mute_track(self, name: str, identity: str, sid: str, muted: bool = True) -> None:
        """Mute somebody's track, as a moderator does."""
        asked = room.MuteRoomTrackRequest(room=name, identity=identity, track_sid=sid, muted=muted)
        await self._ask("MutePublishedTrack", asked, room.MuteRoomTrackResponse)

    async def send_data(self, name: str, payload: bytes, topic: str = "", to: list[str] | None = None) -> None:
        """Reliable data to all in the room, or to the identities given."""
        asked = room.SendDataRequest(
            room=name, data=payload, kind=models.DataPacket.RELIABLE, topic=topic, destination_identities=to or []
        )
        await self._ask("SendData", asked, room.SendDataResponse)

    async def until_participants(self, count: int, name: str, timeout: float = 10) -> list[models.ParticipantInfo]:
        """Wait until so many participants that are not hidden have tracks in the room."""
        deadline = time.monotonic() + timeout
        while True:
            publishing = [one for one in await self.participants(name, hidden=False) if one.tracks]
            if len(publishing) == count:
                return publishing
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} publishers expected, there are {publishing}")
            await asyncio.sleep(0.1)

    async def _ask(self, method: str, asked: Message, answer: type[_Answer]) -> _Answer:
        """One call of ``livekit.RoomService``. Raises ApiError."""
        # One token serves all methods: a room's are granted by its name.
        where = getattr(asked, "room", "") or getattr(asked, "name", "")
        grants = {"roomAdmin": True, "roomList": True, "roomCreate": True, "room": where}
        headers = {
            "Authorization": f"Bearer {signed(self.api_key, self.api_secret, {'video': grants}, 60)}",
            "Content-Type": "application/protobuf",
        }
        async with http_client(5) as client:
            url = f"{self.http_url}/twirp/livekit.RoomService/{method}"
            reply = await client.post(url, content=asked.SerializeToString(), headers=headers)
        if reply.status_code != 200:
            told = reply.json() if "json" in reply.headers.get("content-type", "") else {"msg": reply.text}
            raise ApiError(told.get("code", str(reply.status_code)), told.get("msg", ""))
        return answer.FromString(reply.content)

    def _config(self) -> str:
        # Clients are told a STUN server; without one of its own they would be sent to the Internet's.
        return f"""port: 7880
bind_addresses: ["{self.address}"]
keys:
  {self.api_key}: {self.api_secret}
logging:
  level: info
rtc:
  udp_port: 7882
  tcp_port: 7881
  use_external_ip: false
  node_ip: {self.address}
  stun_servers: ["{self.address}:7882"]
  congestion_control:
    enabled: true
    allow_pause: true
audio:
  active_level: {self._active_level}
room:
  auto_create: {str(self._auto_create).lower()}
  empty_timeout: {EMPTY_TIMEOUT}
  departure_timeout: {DEPARTURE_TIMEOUT}
"""
