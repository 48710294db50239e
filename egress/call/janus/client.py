"""A client of the Janus API: one session, its handles, requests matched to answers, events to handles."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from egress.call.janus.wire import Message, Wire, wire

log = logging.getLogger(__name__)

KEEPALIVE = 25.0
"""Seconds; Janus forgets a session that was silent for 60."""
ANSWER_TIMEOUT = 8.0
VIDEOROOM = "janus.plugin.videoroom"


class JanusError(Exception):
    """Janus (codes 403 to 490) or its plugin (codes 421 to 499) refused a request."""

    def __init__(self, code: int, reason: str, *, plugin: bool) -> None:
        super().__init__(reason)
        self.code = code
        self.plugin = plugin


@dataclass(frozen=True, slots=True)
class Event:
    """What a handle is told: the plugin's data and a session description, or a word of the core (``hangup`` …)."""

    janus: str
    data: Message
    offer: str | None = None
    reason: str = ""


class Handle:
    """One attachment to a plugin. ``on_event`` gets what nobody asked for."""

    def __init__(self, session: Session, id_: int) -> None:
        self._session = session
        self.id = id_
        self.on_event: Callable[[Event], None] = lambda event: None

    async def request(self, body: Message, answer_sdp: str | None = None) -> Event:
        """Send a request and wait for what the plugin says to it.

        Raises JanusError when it refuses, OSError when Janus is away or silent.
        """
        message: Message = {"janus": "message", "handle_id": self.id, "body": body}
        if answer_sdp is not None:
            message["jsep"] = {"type": "answer", "sdp": answer_sdp}
        event = _event(await self._session.request(message))
        if "error" in event.data or "error_code" in event.data:
            code = event.data.get("error_code")
            raise JanusError(code if isinstance(code, int) else 0, str(event.data.get("error", "refused")), plugin=True)
        return event

    async def detach(self) -> None:
        """Give the handle back; a Janus that is away has forgotten it anyway."""
        self.on_event = lambda event: None
        self._session.forget(self)
        with contextlib.suppress(JanusError, OSError):
            await self._session.request({"janus": "detach", "handle_id": self.id})


class Session:
    """A session with Janus. ``lost`` is done with a reason when the session is gone, not after :meth:`close`."""

    def __init__(self, url: str, *, apisecret: SecretStr | None = None, token: SecretStr | None = None) -> None:
        self._credentials: Message = {}
        if apisecret is not None:
            self._credentials["apisecret"] = apisecret.get_secret_value()
        if token is not None:
            self._credentials["token"] = token.get_secret_value()
        self._wire: Wire = wire(url, self._credentials)
        self._id: int | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._handles: dict[int, Handle] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Create the session. Raises OSError when Janus is away, JanusError when it refuses us."""
        await self._wire.open(self._take, self._lose)
        self._id = int((await self.request({"janus": "create"}))["data"]["id"])
        self._wire.listen(self._id)
        self._keeping = asyncio.create_task(self._keep_alive())

    async def attach(self, plugin: str = VIDEOROOM) -> Handle:
        reply = await self.request({"janus": "attach", "plugin": plugin})
        handle = Handle(self, int(reply["data"]["id"]))
        self._handles[handle.id] = handle
        return handle

    def forget(self, handle: Handle) -> None:
        self._handles.pop(handle.id, None)

    async def request(self, message: Message) -> Message:
        """Send and wait for the answer. Raises JanusError, OSError."""
        if self._closed or self.lost.done():
            raise ConnectionError("the session with Janus is over")
        transaction = f"{message['janus']}-{next(self._numbers)}"
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = answer
        if self._id is not None:
            message = {"session_id": self._id, **message}
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._wire.send({**message, **self._credentials, "transaction": transaction})
                return await answer
        except TimeoutError as error:
            raise ConnectionError(f"Janus did not answer within {ANSWER_TIMEOUT:.0f} s") from error
        finally:
            del self._waiting[transaction]
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # it may have come when nobody waited any more

    async def close(self) -> None:
        """Destroy the session; safe to call twice."""
        if self._closed:
            return
        if self._id is not None and not self.lost.done():
            with contextlib.suppress(JanusError, OSError):
                async with asyncio.timeout(1.0):
                    await self.request({"janus": "destroy"})
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        await self._wire.close()
        self._fail_waiting("the session with Janus was closed")

    def _take(self, message: Message) -> None:
        said = message.get("janus")
        waiting = self._waiting.get(str(message.get("transaction")))
        if waiting is not None:
            if waiting.done() or (said == "ack" and not message.get("transaction", "").startswith("keepalive")):
                return  # an ack is only the promise of an answer, but to a keepalive it is the answer
            if said == "error":
                error = message.get("error") or {}
                refusal = JanusError(int(error.get("code", 0)), str(error.get("reason", "refused")), plugin=False)
                waiting.set_exception(refusal)
                if refusal.code == 458:
                    self._lose("Janus has forgotten the session")
                return
            waiting.set_result(message)
            return
        if said == "timeout":
            self._lose("Janus ended the session")
            return
        handle = self._handles.get(message.get("sender", 0))
        if handle is not None:
            try:
                handle.on_event(_event(message))
            except Exception:
                log.exception("an event of Janus could not be handled")

    def _lose(self, reason: str) -> None:
        if not self._closed and not self.lost.done():
            self.lost.set_result(reason)
            self._fail_waiting(reason)

    def _fail_waiting(self, reason: str) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError(reason))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE)
            try:
                await self.request({"janus": "keepalive"})
            except (JanusError, OSError) as error:
                self._lose(f"Janus does not answer ({error})")
                return


def _event(message: Message) -> Event:
    plugindata = message.get("plugindata") or {}
    jsep = message.get("jsep") or {}
    return Event(
        janus=str(message.get("janus")),
        data=plugindata.get("data") or {},
        offer=jsep.get("sdp") if jsep.get("type") == "offer" else None,
        reason=str(message.get("reason", "")),
    )
