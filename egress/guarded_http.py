"""HTTP clients that reach only what the guard allows, at the very address that it has checked.

The check is made where the connection is, so neither a name that changes its address nor a redirect leads around it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from egress.url_guard import Address, Guard, UrlRefused

_Options = Iterable[httpcore.SOCKET_OPTION] | None


def async_client(
    guard: Guard, *, connections: int = 10, keep_alive: float = 20.0, verify: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """A client that follows no redirects and knows no proxies. Its requests raise UrlRefused too."""
    return httpx.AsyncClient(transport=_AsyncTransport(guard, connections, keep_alive, verify), trust_env=False)


def client(
    guard: Guard, *, connections: int = 10, keep_alive: float = 20.0, verify: ssl.SSLContext | None = None
) -> httpx.Client:
    """As :func:`async_client`, for code that may block."""
    return httpx.Client(transport=_Transport(guard, connections, keep_alive, verify), trust_env=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    url: str
    """Where it was in the end."""
    media_type: str
    """Without parameters, in lower case."""
    content: bytes


async def fetch(
    guard: Guard,
    http: httpx.AsyncClient,
    url: str,
    *,
    limit: int,
    timeout: float = 10.0,
    redirects: int = 3,
) -> Fetched:
    """Get something of at most ``limit`` bytes within ``timeout`` seconds, through at most that many redirects.

    ``http`` is an :func:`async_client` of the same guard. Each address on the way is checked, form and place.
    Raises UrlRefused; httpx.HTTPError when there is no answer of 200.
    """
    async with asyncio.timeout(timeout):
        for _ in range(redirects + 1):
            shown = guard.form(url).shown
            # Nothing is unpacked: a few bytes could become too many.
            async with http.stream("GET", url, headers={"Accept-Encoding": "identity"}, timeout=timeout) as response:
                if response.has_redirect_location:
                    url = str(httpx.URL(url).join(response.headers["location"]))
                    continue
                if response.status_code != 200:
                    raise httpx.HTTPStatusError(
                        f"{shown} answered {response.status_code}", request=response.request, response=response
                    )
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise UrlRefused(f"what {shown} sends is packed, which was not asked for")
                content = bytearray()
                async for piece in response.aiter_raw():
                    content += piece
                    if len(content) > limit:
                        raise UrlRefused(f"what {shown} sends has more than {limit} bytes")
                media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                return Fetched(url, media_type, bytes(content))
    raise UrlRefused(f"{guard.form(url).shown} was reached by more than {redirects} redirects")


class _AsyncBackend(httpcore.AnyIOBackend):
    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _Options = None,
    ) -> httpcore.AsyncNetworkStream:
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._guard.addresses_async(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"no name server knew {host} in time") from None
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        for address, patience in _tries(addresses, timeout, began):
            try:
                return await super().connect_tcp(str(address), port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address is addresses[-1]:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")


class _Backend(httpcore.SyncBackend):
    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _Options = None,
    ) -> httpcore.NetworkStream:
        began = time.monotonic()
        try:
            addresses = self._guard.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        for address, patience in _tries(addresses, timeout, began):
            try:
                return super().connect_tcp(str(address), port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address is addresses[-1]:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")


def _tries(addresses: list[Address], timeout: float | None, began: float) -> Iterator[tuple[Address, float | None]]:
    """Each address, and how long it may take so that those after it get their turn."""
    for number, address in enumerate(addresses):
        left = None if timeout is None else max(timeout - (time.monotonic() - began), 0.01)
        yield address, left if left is None else left / (len(addresses) - number)


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, guard: Guard, connections: int, keep_alive: float, verify: ssl.SSLContext | None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=verify or httpx.create_ssl_context(trust_env=False),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=keep_alive,
            network_backend=_AsyncBackend(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            answer = await self._pool.handle_async_request(_request(request))
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_AsyncBody(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Transport(httpx.BaseTransport):
    def __init__(self, guard: Guard, connections: int, keep_alive: float, verify: ssl.SSLContext | None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=verify or httpx.create_ssl_context(trust_env=False),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=keep_alive,
            network_backend=_Backend(guard),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            answer = self._pool.handle_request(_request(request))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for piece in self._answer.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _request(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


@contextmanager
def _as_httpx() -> Iterator[None]:
    """The errors of httpcore as those of httpx, whose names are the same."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
    except httpcore.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
