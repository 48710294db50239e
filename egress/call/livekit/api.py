"""The part of LiveKit's server API that we need: who is in a room, and data to its clients.

Requests are Twirp (v7): a protobuf message is POSTed to ``/twirp/livekit.RoomService/Method``, the answer is one too,
or a JSON object with ``code`` and ``msg``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

import httpx
from google.protobuf.message import DecodeError, Message
from livekit.protocol import models, room

from egress.call.connector import ROOM_GONE, ConnectorError
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.token import api_token

TIMEOUT = 5.0
CONNECT_TIMEOUT = 3.0
KEPT_ALIVE = 30.0
"""Seconds for which a connection that nobody uses stays open."""

NOT_LIVEKIT = "not_livekit"
"""The code with which it is said that something else answers."""
_PROTOBUF = "application/protobuf"
_PASSING = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)

Answer = TypeVar("Answer", bound=Message)


def open_client(url: str) -> httpx.AsyncClient:
    """An HTTP client for one server."""
    return httpx.AsyncClient(
        verify=url.startswith("https:"),  # or the system's certificates are read for nothing, which takes long
        timeout=httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=KEPT_ALIVE),
    )


class RoomService:
    """LiveKit's RoomService with the credentials of an address. A ``client`` that is given is not closed."""

    def __init__(self, address: LivekitAddress, client: httpx.AsyncClient | None = None) -> None:
        self._address = address
        self._url = f"{address.http_url}/twirp/livekit.RoomService/"
        self._own = client is None
        self._client = open_client(self._url) if client is None else client

    async def participants(self, name: str) -> list[models.ParticipantInfo]:
        """Everybody in the room, hidden ones too. Nobody where there is no such room: servers do not tell which.

        Raises ConnectorError when asking again would not help, OSError when the server is away.
        """
        answer = await self._ask(
            "ListParticipants", name, room.ListParticipantsRequest(room=name), room.ListParticipantsResponse
        )
        return list(answer.participants)

    async def send_data(self, name: str, payload: bytes, topic: str, identities: Sequence[str] = ()) -> None:
        """Send it reliably to the clients of these users, or of everybody. Raises as ``participants`` does.

        A room that is not there is a server that is away: nobody takes the message.
        """
        request = room.SendDataRequest(
            room=name,
            data=payload,
            kind=models.DataPacket.RELIABLE,
            topic=topic,
            destination_identities=identities,
        )
        await self._ask("SendData", name, request, room.SendDataResponse)

    async def close(self) -> None:
        if self._own:
            await self._client.aclose()

    async def _ask(self, method: str, name: str, request: Message, kind: type[Answer]) -> Answer:
        token = api_token(self._address, room=name)
        try:
            reply = await self._client.post(
                self._url + method,
                content=request.SerializeToString(),
                headers={"Content-Type": _PROTOBUF, "Authorization": f"Bearer {token}"},
            )
        except httpx.HTTPError as error:
            raise ConnectionError(f"LiveKit does not answer ({type(error).__name__})") from error
        if reply.status_code != httpx.codes.OK:
            raise refusal(reply)
        try:
            if not reply.headers.get("content-type", "").startswith(_PROTOBUF):
                raise DecodeError
            return kind.FromString(reply.content)
        except DecodeError:
            raise not_livekit("with something else than LiveKit's answer") from None


def refusal(reply: httpx.Response) -> ConnectorError | OSError:
    """What an answer other than 200 means.

    LiveKit's own text stays out of it where it may hold the token that it refuses.
    """
    status = reply.status_code
    code, said = _twirp(reply)
    if reply.is_server_error or status in _PASSING:
        return ConnectionError(f"LiveKit does not answer ({said or status})")
    if reply.is_redirect:
        return not_livekit(f"with a redirect ({status})")
    if code is None:
        return unauthorized(reply.text) if status == httpx.codes.UNAUTHORIZED else not_livekit(f"with HTTP {status}")
    if code == "bad_route":
        return not_livekit("without this part of LiveKit's API")
    if code == "not_found":
        return ConnectorError(ROOM_GONE, "LiveKit has no such room")
    if code in ("unauthenticated", "permission_denied"):
        return ConnectorError(
            "permission_denied", "this API key or token may not do this in this room: it takes roomAdmin for it"
        )
    return ConnectorError("refused", f"LiveKit refuses the request ({said})")


def _twirp(reply: httpx.Response) -> tuple[str | None, str]:
    """Code and message of a Twirp error; no code when the answer is none."""
    if not reply.headers.get("content-type", "").startswith("application/json"):
        return None, ""
    try:
        found = reply.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return None, ""
    code = found.get("code") if isinstance(found, dict) else None
    return (code, str(found.get("msg", ""))[:200]) if isinstance(code, str) else (None, "")


def unauthorized(said: str) -> ConnectorError:
    """What the text of an answer 401 means. LiveKit writes the token that it refuses into it, so it is not told on."""
    said = said[:65_536].lower()
    if said.startswith("invalid api key"):
        return ConnectorError("unauthorized", "LiveKit does not know this API key")
    if "signature" in said:
        return ConnectorError("unauthorized", "the API secret, or what signed the token, is not that of the API key")
    if "expired" in said:
        return ConnectorError("unauthorized", "to LiveKit the token has expired: its clock and ours may differ")
    if said.startswith("invalid"):
        return ConnectorError("unauthorized", "LiveKit does not take this API key, secret or token")
    return not_livekit("with a demand for another kind of password")


def not_livekit(how: str) -> ConnectorError:
    """Something else answers there; ``how``, in a few words."""
    return ConnectorError(NOT_LIVEKIT, f"what answers at this URL is no LiveKit: it answers {how}")
