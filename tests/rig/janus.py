"""A real Janus in a network namespace of its own, with rooms made for tests.

Debian's ``janus`` runs inside a namespace (:mod:`tests.rig.namespace`). :func:`why_not` says what is missing for that.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import httpx

from tests.rig import namespace
from tests.rig.guests import Call, GuestSpec
from tests.rig.janus_client import Session
from tests.rig.sfu import Sfu

PLAIN = 1234
"""A room with the defaults of a video call."""
RED = 1235
"""Redundant sound (RFC 2198) is negotiated with publishers that offer it."""
PVTID = 1236
"""Subscribers must show the private id of a publisher."""
NOTIFY = 1237
"""Everybody is told who joins, even without publishing."""
STRANGERS = 999_999
"""No room has this number."""

_PLUGINS = Path("/usr/lib/x86_64-linux-gnu/janus/plugins")
_TRANSPORTS = Path("/usr/lib/x86_64-linux-gnu/janus/transports")
_EVENTS = Path("/usr/lib/x86_64-linux-gnu/janus/events")

_ROOM_DEFAULTS: dict[str, Any] = {
    "publishers": 100,
    "bitrate": 0,
    "fir_freq": 0,
    "audiocodec": "opus",
    "videocodec": "vp8,h264",
    "audiolevel_ext": True,
    "audiolevel_event": True,
    "videoorient_ext": True,
    "transport_wide_cc_ext": True,
    "record": False,
}
_ROOMS: dict[int, dict[str, Any]] = {
    PLAIN: {},
    RED: {"opus_red": True, "audiocodec": "opus"},
    PVTID: {"require_pvtid": True},
    NOTIFY: {"notify_joining": True},
}


def why_not() -> str | None:
    """One line on why no Janus can be started here, or None. Meant for :mod:`tests.rig.required`."""
    if shutil.which("janus") is None:
        return "janus is not installed (Debian package janus)"
    return namespace.why_not()


class JanusServer(Sfu):
    """``async with JanusServer() as janus``: a running server, gone with its namespace at the end."""

    name = "janus"

    @property
    def http_url(self) -> str:
        return f"http://{self.address}:8088/janus"

    @property
    def ws_url(self) -> str | None:
        """None where Janus was built without WebSockets."""
        return f"ws://{self.address}:8188" if _has_websockets() else None

    @property
    def probe_url(self) -> str:
        return f"{self.http_url}/info"

    async def prepare(self) -> None:
        if reason := why_not():
            raise RuntimeError(reason)

    def write_config(self) -> None:
        _write_config(self.folder)

    def command(self) -> list[str]:
        return ["janus", "-F", str(self.folder)]

    def call(self, guests: list[GuestSpec], room: int | str | None = None) -> Call:
        """Where guests of the rig go."""
        assert self.ws_url is not None
        return Call(self.ws_url, room or PLAIN, self.host_address, guests)

    def connector(self, room: int | str | None = None) -> dict[str, Any]:
        """The room as a message to the product names it."""
        return {"type": "janus", "url": self.http_url, "room": room or PLAIN}

    async def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """One request to the VideoRoom plugin; returns the plugin's data. For synchronous requests only."""
        async with httpx.AsyncClient(timeout=5) as client:

            async def post(path: str, message: dict[str, Any]) -> dict[str, Any]:
                reply = await client.post(self.http_url + path, json={"transaction": "rig", **message})
                result: dict[str, Any] = reply.json()
                if result["janus"] == "error":
                    raise RuntimeError(f"janus refused {message}: {result['error']}")
                return result

            session = f"/{(await post('', {'janus': 'create'}))['data']['id']}"
            try:
                attach = {"janus": "attach", "plugin": "janus.plugin.videoroom"}
                handle = f"{session}/{(await post(session, attach))['data']['id']}"
                answer = await post(handle, {"janus": "message", "body": body})
            finally:
                await post(session, {"janus": "destroy"})
        data: dict[str, Any] = answer["plugindata"]["data"]
        return data

    async def sessions(self) -> dict[int, list[int]]:
        """The sessions that the server has, with their handles, by its admin API."""
        async with httpx.AsyncClient(timeout=5) as client:

            async def admin(path: str, request: str) -> dict[str, Any]:
                url = f"http://{self.address}:7088/admin{path}"
                reply = await client.post(url, json={"janus": request, "transaction": "rig"})
                found: dict[str, Any] = reply.json()
                return found

            sessions = (await admin("", "list_sessions"))["sessions"]
            return {session: (await admin(f"/{session}", "list_handles")).get("handles", []) for session in sessions}

    async def create_room(self, **options: Any) -> int:
        """Make a room until the server ends; ``options`` are those of VideoRoom's ``create``."""
        data = await self.ask({"request": "create", **_ROOM_DEFAULTS, **options})
        if "error" in data:
            raise RuntimeError(f"janus made no room: {data['error']}")
        return int(data["room"])

    async def participants(self, room: int = PLAIN) -> list[dict[str, Any]]:
        """VideoRoom's ``listparticipants``."""
        data = await self.ask({"request": "listparticipants", "room": room})
        found: list[dict[str, Any]] = data["participants"]
        return found

    async def publishers(self, room: int = PLAIN) -> list[dict[str, Any]]:
        """Who publishes, with their streams, as somebody who joins is told."""
        assert self.ws_url is not None
        session = Session(self.ws_url)
        await session.open()
        handle = await session.attach()
        joined = await handle.message({"request": "join", "ptype": "publisher", "room": room, "display": "asks"})
        await session.close()
        found: list[dict[str, Any]] = joined["plugindata"]["data"]["publishers"]
        return found

    async def until_participants(self, count: int, room: int = PLAIN, timeout: float = 10) -> list[dict[str, Any]]:
        """Wait until so many participants publish in the room."""
        deadline = time.monotonic() + timeout
        while True:
            publishing = [p for p in await self.participants(room) if p.get("publisher")]
            if len(publishing) == count:
                return publishing
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} publishers expected, there are {publishing}")
            await asyncio.sleep(0.1)


def _has_websockets() -> bool:
    return (_TRANSPORTS / "libjanus_websockets.so").exists()


def _write_config(folder: Path) -> None:
    disabled = ", ".join(p.name for p in sorted(_PLUGINS.glob("*.so")) if "videoroom" not in p.name)
    kept = ("libjanus_http.so", "libjanus_websockets.so")
    silent = ", ".join(p.name for p in sorted(_TRANSPORTS.glob("*.so")) if p.name not in kept)
    (folder / "janus.jcfg").write_text(
        f"""general: {{
    configs_folder = "{folder}"
    plugins_folder = "{_PLUGINS}"
    transports_folder = "{_TRANSPORTS}"
    events_folder = "{_EVENTS}"
    debug_level = 3
    debug_colors = false
    session_timeout = 60
}}
media: {{
    ipv6 = false
    rtp_port_range = "20000-40000"
}}
nat: {{
    ice_enforce_list = "eth0"
    ice_lite = false
}}
plugins: {{ disable = "{disabled}" }}
transports: {{ disable = "{silent}" }}
"""
    )
    (folder / "janus.transport.http.jcfg").write_text(
        'general: { json = "compact"\n base_path = "/janus"\n http = true\n port = 8088\n https = false }\n'
        'admin: { admin_http = true\n admin_base_path = "/admin"\n admin_port = 7088 }\n'
        'cors: { allow_origin = "*" }\n'
    )
    if _has_websockets():
        (folder / "janus.transport.websockets.jcfg").write_text(
            'general: { json = "compact"\n ws = true\n ws_port = 8188\n wss = false }\nadmin: { admin_ws = false }\n'
        )
    rooms = "".join(
        f'room-{number}: {{ description = "{number}"\n'
        + "".join(f"    {key} = {_jcfg(value)}\n" for key, value in {**_ROOM_DEFAULTS, **options}.items())
        + "}\n"
        for number, options in _ROOMS.items()
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n" + rooms)


def _jcfg(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
