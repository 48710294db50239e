"""The way out for a page's browser: to what is allowed, and to nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from egress.page.proxy import REFUSED, GuardedProxy
from egress.url_guard import Guard
from tests.rig.web_page import PageServer


@pytest.fixture
async def server() -> AsyncIterator[PageServer]:
    async with PageServer() as server:
        yield server


@pytest.fixture
async def proxy() -> AsyncIterator[GuardedProxy]:
    names = {"page.example": ["127.0.0.1"], "inside.example": ["10.1.2.3"], "both.example": ["127.0.0.1", "10.1.2.3"]}
    proxy = GuardedProxy(Guard(allow=["127.0.0.1/32"], resolve=lambda host, port: names[host]))
    await proxy.open()
    yield proxy
    await proxy.close()


async def test_what_is_allowed_is_fetched_by_name_and_by_address(server: PageServer, proxy: GuardedProxy):
    async with httpx.AsyncClient(proxy=proxy.url, trust_env=False) as client:
        for url in (server.url(), server.url().replace("127.0.0.1", "page.example")):
            answer = await client.get(url, headers={"Accept-Encoding": "identity"})
            assert answer.status_code == 200
            assert "START_RECORDING" in answer.text
        posted = await client.post(server.url("/told"), json={"a": 1})
        assert posted.status_code == 200
    assert server.told == [{"a": 1}]
    assert not proxy.refused


@pytest.mark.parametrize(
    "host", ["inside.example", "both.example", "10.1.2.3", "127.0.0.2", "2130706434", "169.254.169.254"]
)
async def test_private_addresses_are_refused_in_the_clear_and_by_tunnel(proxy: GuardedProxy, host: str):
    async with httpx.AsyncClient(proxy=proxy.url, trust_env=False) as client:
        answer = await client.get(f"http://{host}:8080/secret?a=b")
        assert answer.status_code == 403
        assert "private, local or reserved" in answer.text
        assert REFUSED in answer.headers
        with pytest.raises(httpx.ProxyError, match="403"):
            await client.get(f"https://{host}/")
    assert len(proxy.refused) == 1
    assert "secret" not in proxy.refused[0]


async def test_a_tunnel_carries_both_ways_until_one_end_closes(server: PageServer, proxy: GuardedProxy):
    host, port = proxy.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    target = server.url().removeprefix("http://").rstrip("/")
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"START_RECORDING" in await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_nonsense_ends_the_connection_and_nothing_else(server: PageServer, proxy: GuardedProxy):
    host, port = proxy.url.removeprefix("http://").split(":")
    for nonsense in (
        b"\r\n\r\n",
        b"CONNECT [::1]:80 HTTP/1.1\r\n\r\n",
        b"GET\r\n\r\n",
        b"CONNECT x HTTP/1.1\r\n\r\n",
        b"GET ftp://x/ HTTP/1.1\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(nonsense)
        assert b" 200 " not in await asyncio.wait_for(reader.read(), 5)
        writer.close()
    async with httpx.AsyncClient(proxy=proxy.url, trust_env=False) as client:
        assert (await client.get(server.url())).status_code == 200
