"""The sink that posts events to a hook: signed, tried again by the hosted platforms' rules, redirects not followed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import httpx

from egress.guarded_http import async_client
from egress.url_guard import Guard, UrlRefused
from workers.events.sinks.attempts import Limits, Outcome, outcome_of, pause_before_next, retry_after
from workers.events.sinks.sink import Envelope, NotTaken, Refused
from workers.observing import metrics
from workers.settings.hooks import Webhook

LANES = 32
"""Calls whose events one hook is told at the same time."""
LONGEST_ANSWER = 16_384
"""Bytes of an answer that are read, so that its connection can be used again; what it says is not wanted."""

USER_AGENT = f"Wallflower/{version('wallflower')}"


@dataclass(frozen=True, slots=True)
class _Ending:
    """How one request ended."""

    outcome: Outcome
    error: str = ""
    retry_after: float = 0.0


class WebhookSink:
    """One hook. Raises UrlRefused for a URL that cannot be one."""

    lanes = LANES

    def __init__(self, hook: Webhook, guard: Guard, limits: Limits | None = None) -> None:
        url = hook.url.get_secret_value()
        self.name = hook_name(hook)
        self.shown = guard.form(url, credentials=True).shown
        """The address without what may be secret in it."""
        self.encrypted = url.lower().startswith("https:")
        self._url = url
        self._types = frozenset(hook.events)
        self._key = hook.api_key
        self._secret = hook.secret.get_secret_value().encode()
        self._limits = limits or Limits()
        self._http = async_client(guard, connections=LANES)

    def wants(self, event_type: str) -> bool:
        return not self._types or event_type in self._types

    async def send(self, event: Envelope, attempts: int) -> None:
        body = json.dumps(event.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-WEBHOOK-ID": event.id,
            "X-API-KEY": self._key,
            "X-SIGNATURE": signature(body, self._secret),
        }
        began = time.monotonic()
        made = 0
        while True:
            made += 1
            headers["X-WEBHOOK-ATTEMPT"] = str(attempts + made)
            left = self._limits.together - (time.monotonic() - began)
            ending = await self._request(body, headers, min(self._limits.request, left))
            metrics.HOOK_ATTEMPTS.labels(ending.outcome.name.lower()).inc()
            if ending.outcome is Outcome.TAKEN:
                return
            if ending.outcome is Outcome.REFUSED:
                raise Refused(f"{self.shown} {ending.error}", made)
            passed = time.monotonic() - began
            pause = pause_before_next(ending.outcome, made, passed, ending.retry_after, self._limits)
            if pause is None:
                raise NotTaken(f"{self.shown} {ending.error}", made, ending.retry_after)
            await asyncio.sleep(pause)

    async def close(self) -> None:
        await self._http.aclose()

    async def _request(self, body: bytes, headers: dict[str, str], timeout: float) -> _Ending:
        answered: _Ending | None = None
        try:
            async with (
                asyncio.timeout(timeout),
                self._http.stream("POST", self._url, content=body, headers=headers, timeout=timeout) as answer,
            ):
                asked = retry_after(answer.headers, datetime.now(UTC), self._limits)
                answered = _Ending(outcome_of(answer.status_code), f"answered {answer.status_code}", asked)
                await _drain(answer)
        except UrlRefused as error:
            return _Ending(Outcome.UNREACHABLE, f"is not spoken to: {error}")
        except (TimeoutError, httpx.TimeoutException):
            # Its status is its answer, whatever becomes of the rest.
            return answered or _Ending(Outcome.TIMED_OUT, f"did not answer within {timeout:.3g} s")
        except httpx.HTTPError as error:
            return answered or _Ending(Outcome.UNREACHABLE, f"cannot be reached: {str(error) or type(error).__name__}")
        return answered


def hook_name(hook: Webhook) -> str:
    """What the ledger knows a hook by: its own name, or one made of its URL that tells nobody the URL."""
    if hook.name is not None:
        return f"webhook:{hook.name}"
    url = hook.url.get_secret_value()
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        host = ""
    return f"webhook:{host[:200]}:{digest}"


def signature(body: bytes, secret: bytes) -> str:
    """What ``X-SIGNATURE`` says: HMAC-SHA256 (RFC 2104) of the body as it is sent, in hexadecimal."""
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


async def _drain(answer: httpx.Response) -> None:
    read = 0
    async for piece in answer.aiter_raw():
        read += len(piece)
        if read > LONGEST_ANSWER:
            return
