"""A real LiveKit in a network namespace of its own, with what its API tells about rooms.

The server is built from Go (:mod:`tests.rig.servers.built`) and runs inside a namespace (:mod:`tests.rig.namespace`).
:func:`why_not` says what is missing for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from google.protobuf.message import Message
from livekit.protocol import models, room

from tests.rig import livekit_token, namespace
from tests.rig.guests import Call, GuestSpec
from tests.rig.livekit_token import signed
from tests.rig.namespace import Namespace
from tests.rig.servers import built

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


class LivekitServer:
    """``async with LivekitServer() as livekit``: a running server, gone with its namespace at the end.

    Without ``auto_create`` a room is there only when :meth:`create_room` has made it. ``active_level`` is how many dB
    below the loudest somebody speaks at least.
    """

    api_key = "rig"
    api_secret = "a-secret-of-the-rig-for-tests-only-0123456789"

    def __init__(self, *, auto_create: bool = True, active_level: int = ACTIVE_LEVEL) -> None:
        self._auto_create = auto_create
        self._active_level = active_level
        self._namespace: Namespace | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._program = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def namespace(self) -> Namespace:
        assert self._namespace is not None
        return self._namespace

    @property
    def address(self) -> str:
        """Where the server is."""
        return self.namespace.address

    @property
    def host_address(self) -> str:
        """This host's end of the wire: what guests and attendants must offer to ICE."""
        return self.namespace.host_address

    @property
    def host_network(self) -> str:
        return self.namespace.host_network

    @property
    def url(self) -> str:
        """What clients are given."""
        return f"ws://{self.address}:7880"

    @property
    def http_url(self) -> str:
        """What users of the API are given."""
        return f"http://{self.address}:7880"

    @property
    def log(self) -> Path:
        """What the server printed."""
        assert self._folder is not None
        return Path(self._folder.name) / "livekit.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        reason = why_not()
        if reason:
            raise RuntimeError(reason)
        package = "github.com/livekit/livekit-server/cmd/server"
        self._program = await asyncio.to_thread(built.binary, "livekit", VERSION, package)
        self._namespace = await asyncio.to_thread(Namespace.make)
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="wf-livekit-")
            (Path(self._folder.name) / "livekit.yaml").write_text(self._config())
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server again after :meth:`kill`, and wait until it answers."""
        self._process = self._launch()
        deadline = time.monotonic() + 15
        async with _client(2) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(self.http_url)).status_code == 200:
                        return
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"livekit did not start:\n{self.log.read_text()[-2000:]}")
                await asyncio.sleep(0.05)

    def _launch(self) -> subprocess.Popen[bytes]:
        config = str(self.log.with_name("livekit.yaml"))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.namespace.command(str(self._program), "--config", config),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    async def kill(self) -> None:
        """End the server at once, as a crash would: nobody is told."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
        if process is not None:
            await asyncio.to_thread(process.wait)

    async def restart(self, away: float = 0.0) -> None:
        """Crash, stay away for so many seconds, start anew. All rooms are forgotten."""
        await self.kill()
        await asyncio.sleep(away)
        await self.start()

    async def stop(self) -> None:
        """End the server and take its network away. Safe to call twice."""
        await self.kill()
        if self._namespace is not None:
            await asyncio.to_thread(self._namespace.remove)
            self._namespace = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

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
        async with _client(5) as client:
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


def _client(timeout: float) -> httpx.AsyncClient:
    # No certificates are needed, and to load them takes longer than any of these requests.
    return httpx.AsyncClient(timeout=timeout, verify=False)
