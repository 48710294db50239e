"""The guard over URLs: every trick that leads inside is refused, and what was checked is what is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import httpx
import pytest

from egress.guarded_http import async_client, client, fetch
from egress.url_guard import Guard, UrlRefused, public
from tests.rig.servers.hooks import Answer, HookReceiver

HEADERS = {"x-webhook-id": "1", "x-webhook-attempt": "1"}


def at(*addresses: str) -> Guard:
    """A guard for which every name is at these addresses."""
    return Guard(resolve=lambda host, port: list(addresses))


OUTSIDE = at("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/path?x=1", "https://hooks.example:443"),
        ("http://hooks.example:8080", "http://hooks.example:8080"),
        ("HTTPS://Hooks.Example./", "https://hooks.example:443"),
        ("https://bücher.example/", "https://xn--bcher-kva.example:443"),
        ("https://8.8.8.8/", "https://8.8.8.8:443"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]:443"),
    ],
)
def test_good_urls_pass(url: str, shown: str) -> None:
    checked, addresses = OUTSIDE.check(url)
    assert checked.shown == shown
    assert checked.url == url
    assert addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://168.63.129.16/",
        "http://100.100.100.200/",
        "http://192.0.0.192/",
        "http://192.88.99.1/",
        "http://198.18.0.1/",
        "http://203.0.113.5/",
        "http://224.0.0.1/",
        "http://239.255.255.250/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[64:ff9b:1::8.8.8.8]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a00:1::1]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://[100::1]/",
        "http://[3fff::1]/",
        "http://[4000::1]/",
    ],
)
def test_addresses_inside_are_refused_however_they_are_written(url: str) -> None:
    with pytest.raises(UrlRefused, match="private, local or reserved"):
        OUTSIDE.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/path",
        "//hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "javascript:alert(1)",
        "unix:///run/x.sock",
        "https://",
        "https:///path",
        "https://./",
        "https://a..example/",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example:x/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/ path",
        "https://hooks.example/\r\nHost: inside",
        "https://hooks.example/\x00",
        "https://user@hooks.example/",
        "https://user:pass@hooks.example/",
        "https://hooks.example@127.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "https://%31%32%37.0.0.1/",
        "https://1.2.3.4.5/",
        "https://300.1.1.1/",
        "http://0177.0.0.1/",
        "https://0x7g.1/",
        "https://1.2.3.99999/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://hooks.example/" + "a" * 2048,
    ],
)
def test_urls_of_the_wrong_form_are_refused(url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        OUTSIDE.check(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "fe80::1%eth0", "::ffff:192.168.0.1"],
)
def test_a_name_is_refused_when_any_of_its_addresses_is_inside(address: str) -> None:
    with pytest.raises(UrlRefused, match=r"^hooks\.example is at an address"):
        at("93.184.216.34", address).check("https://hooks.example/")


def test_addresses_that_wrap_public_ones_are_public() -> None:
    for text in ("64:ff9b::8.8.8.8", "2002:808:808::1", "8.8.8.8", "2606:4700::1111"):
        assert public(ip_address(text)), text


def test_networks_that_operations_allow_pass_and_only_they() -> None:
    guard = Guard(allow=["127.0.0.0/8", "fd00::/8"])
    for url in ("http://127.0.0.1/", "http://127.1/", "http://[::ffff:127.0.0.1]/", "http://[fd00::1]/"):
        assert guard.check(url)[1]
    for url in ("http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/"):
        with pytest.raises(UrlRefused):
            guard.check(url)
    with pytest.raises(ValueError):
        Guard(allow=["inside"])


def test_credentials_only_where_they_are_wanted_and_never_in_what_is_said() -> None:
    url = "https://me:s3cret@10.0.0.1/t0ken?key=k3y"
    with pytest.raises(UrlRefused) as caught:
        OUTSIDE.check(url)
    said = str(caught.value)
    with pytest.raises(UrlRefused) as caught:
        OUTSIDE.check(url, credentials=True)
    said += str(caught.value)
    with pytest.raises(UrlRefused) as caught:
        Guard(resolve=_unknown).check(url.replace("10.0.0.1", "nowhere.example"), credentials=True)
    said += str(caught.value)
    assert "nowhere.example" in said
    assert not any(secret in said for secret in ("s3cret", "t0ken", "k3y", "me:"))
    assert OUTSIDE.form("https://me:s3cret@hooks.example/", credentials=True).shown == "https://hooks.example:443"


def _unknown(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_schemes_are_those_that_are_allowed() -> None:
    with pytest.raises(UrlRefused, match="https://"):
        Guard(schemes=["https"], resolve=lambda host, port: ["8.8.8.8"]).check("http://hooks.example/")
    checked, _ = Guard(schemes=["rtmp"], resolve=lambda host, port: ["8.8.8.8"]).check("rtmp://live.example/app")
    assert (checked.host, checked.port) == ("live.example", 1935)


class Rebinding:
    """A name server that tells another address every time it is asked."""

    def __init__(self, *answers: str) -> None:
        self._answers: Iterator[str] = iter(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return [next(self._answers)]


async def test_a_name_that_changes_its_address_after_the_check_is_not_followed() -> None:
    async with HookReceiver() as inside:
        names = Rebinding("93.184.216.34", "127.0.0.1", "127.0.0.1")
        guard = Guard(resolve=names)
        url = f"http://hooks.example:{inside.port}/"
        guard.check(url)  # as a check beforehand would find it
        async with async_client(guard) as http:
            with pytest.raises(UrlRefused):
                await http.get(url, headers=HEADERS)
        with client(guard) as blocking, pytest.raises(UrlRefused):
            await asyncio.to_thread(blocking.get, url, headers=HEADERS)
        assert names.asked == 3
    assert inside.requests == []


async def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name that this machine's name server does not know is reached where the guard found it."""
    async with HookReceiver() as hook:
        names = Rebinding("127.0.0.1", "127.0.0.1")
        guard = Guard(allow=["127.0.0.0/8"], resolve=names)
        url = f"http://nowhere.invalid:{hook.port}/x"
        async with async_client(guard) as http:
            assert (await http.get(url, headers=HEADERS)).status_code == 200
            assert (await http.get(url, headers=HEADERS)).status_code == 200
        assert names.asked == 1  # the second one went over the same connection
        with client(guard) as blocking:
            answer = await asyncio.to_thread(blocking.get, url, headers=HEADERS)
            assert answer.status_code == 200
    assert [request.headers["host"] for request in hook.requests] == [f"nowhere.invalid:{hook.port}"] * 3
    assert len({request.connection for request in hook.requests}) == 2


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with HookReceiver() as hook:
        guard = Guard(allow=["127.0.0.0/8"], resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
        async with async_client(guard) as http:
            answer = await http.get(f"http://two.example:{hook.port}/", headers=HEADERS)
    assert answer.status_code == 200


async def test_errors_are_those_of_httpx() -> None:
    async with HookReceiver() as hook:
        pass
    allow = Guard(allow=["127.0.0.0/8"])
    async with async_client(allow) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(hook.url)
    async with async_client(Guard(resolve=_unknown)) as http:
        with pytest.raises(httpx.ConnectError, match="not known"):
            await http.get("http://nowhere.invalid/")
    with client(allow) as blocking, pytest.raises(httpx.ConnectError):
        blocking.get(hook.url)


async def test_fetching_follows_three_redirects_and_checks_each() -> None:
    async with HookReceiver() as hook:
        guard = Guard(allow=["127.0.0.1/32"])
        base = f"http://127.0.0.1:{hook.port}"

        def redirect(to: str) -> Answer:
            return Answer(302, {"Location": to})

        page = Answer(200, {"Content-Type": "Text/CSS; charset=utf-8"}, b"a{}")
        async with async_client(guard) as http:
            hook.behave = lambda request: page if request.path == "/3" else redirect(f"/{int(request.path[1:]) + 1}")
            fetched = await fetch(guard, http, f"{base}/0", limit=100)
            assert (fetched.url, fetched.media_type, fetched.content) == (f"{base}/3", "text/css", b"a{}")
            hook.behave = lambda request: redirect("/again")
            with pytest.raises(UrlRefused, match="more than 3 redirects"):
                await fetch(guard, http, base, limit=100)
            for to in ("http://127.0.0.2/", "http://169.254.169.254/", "file:///etc/passwd", "http://u:p@127.0.0.1/"):
                hook.behave = lambda request, to=to: redirect(to)  # type: ignore[misc]
                with pytest.raises(UrlRefused):
                    await fetch(guard, http, base, limit=100)
            hook.behave = lambda request: Answer(200, body=b"x" * 101)
            with pytest.raises(UrlRefused, match="more than 100 bytes"):
                await fetch(guard, http, base, limit=100)
            hook.behave = lambda request: Answer(200, {"Content-Encoding": "gzip"}, b"x")
            with pytest.raises(UrlRefused, match="packed"):
                await fetch(guard, http, base, limit=100)
            hook.behave = lambda request: 404
            with pytest.raises(httpx.HTTPStatusError, match="answered 404"):
                await fetch(guard, http, base, limit=100)
            hook.behave = lambda request: "stall"
            with pytest.raises(TimeoutError):
                await fetch(guard, http, base, limit=100, timeout=0.2)
