"""Pictures from addresses: what is fetched, what is refused, and that a bad one costs itself alone."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skia

from egress.images.data_urls import content_of
from egress.images.decoder import Decoder
from egress.images.decoding import ImageRefused, decode
from egress.images.store import ImageStore
from egress.protocol.job import GuardRules
from egress.protocol.reports import Report, Warned
from egress.url_guard import UrlRefused
from egress.warned import Warnings
from layouts.images import AVATAR_SIDE, CANVAS_SIDE
from tests.rig.servers.pictures import PictureServer, Told

LOCAL = GuardRules(allow_private=("127.0.0.0/8",)).guard()
FORMATS = {
    "PNG": skia.EncodedImageFormat.kPNG,
    "JPEG": skia.EncodedImageFormat.kJPEG,
    "WebP": skia.EncodedImageFormat.kWEBP,
}
GIF = base64.b64decode(
    # Two pictures of 2 × 2, red and blue.
    "R0lGODlhAgACAPEAAP8AAAAA/wAAAAAAACH5BAAKAAAALAAAAAACAAIAAAIChFEAIfkEAAoAAAAsAAAAAAIAAgAAAgKMXwA7"
)


def encoded(kind: str = "PNG", width: int = 60, height: int = 40, color: tuple[int, ...] = (200, 30, 60, 255)) -> bytes:
    pixels = np.full((height, width, 4), color, np.uint8)
    image = skia.Image.fromarray(pixels, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kUnpremul_AlphaType)
    return bytes(image.encodeToData(FORMATS[kind], 95))


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of so many pixels, all of one colour, in few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    squeeze = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    body = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def turned(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with that EXIF orientation."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def half_a_photograph() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 4), np.uint8)
    jpeg = bytes(skia.Image.fromarray(pixels).encodeToData(skia.EncodedImageFormat.kJPEG, 90))
    return jpeg[: len(jpeg) // 2]


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_of_the_common_kinds_are_unpacked(kind: str) -> None:
    decoded = decode(encoded(kind), 100)
    assert decoded.size == (60, 40)
    assert np.abs(decoded.rgba.reshape(-1, 4).astype(int) - (200, 30, 60, 255)).max() <= 6


def test_what_is_translucent_is_premultiplied() -> None:
    decoded = decode(encoded("PNG", color=(200, 100, 0, 128)), 100)
    assert np.abs(decoded.rgba[0, 0].astype(int) - (100, 50, 0, 128)).max() <= 1


def test_of_an_animation_the_first_picture_is_shown() -> None:
    assert tuple(decode(GIF, 100).rgba[0, 0]) == (255, 0, 0, 255)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_that_is_larger_than_needed_is_made_smaller(kind: str) -> None:
    decoded = decode(encoded(kind, 900, 300), 512)
    assert decoded.size == (512, 171)
    assert np.abs(decoded.rgba[80, 200].astype(int) - (200, 30, 60, 255)).max() <= 6


@pytest.mark.parametrize("turn", ["1rgbw", "2grwb", "3wbgr", "4bwrg", "5rbgw", "6brwg", "7wgbr", "8gwrb"])
def test_a_photograph_stands_upright(turn: str) -> None:
    orientation, corners = int(turn[0]), turn[1:]
    colors = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255), "w": (255, 255, 255)}
    pixels = np.full((64, 96, 4), 255, np.uint8)
    for name, (y, x) in zip("rgbw", ((0, 0), (0, 48), (32, 0), (32, 48)), strict=True):
        pixels[y : y + 32, x : x + 48, :3] = colors[name]
    image = skia.Image.fromarray(pixels, skia.ColorType.kRGBA_8888_ColorType)
    jpeg = bytes(image.encodeToData(skia.EncodedImageFormat.kJPEG, 98))
    shown = decode(turned(jpeg, orientation), 100).rgba
    assert shown.shape[:2] == ((96, 64) if orientation >= 5 else (64, 96))
    for name, (y, x) in zip(corners, ((8, 8), (8, -8), (-8, 8), (-8, -8)), strict=True):
        assert np.abs(shown[y, x, :3].astype(int) - colors[name]).max() < 30


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no picture"),
        (b"<!DOCTYPE html><html></html>", "no picture"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is not drawn"),
        (half_a_photograph(), "the JPEG is broken"),
        (encoded("PNG")[:60], "broken|no picture"),
        (b"BM" + bytes(200), "no picture|of this kind"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageRefused, match=reason):
        decode(content, 100)


def test_few_bytes_that_claim_to_be_a_huge_picture_are_not_unpacked() -> None:
    bomb = png_that_claims(30_000, 30_000)
    assert len(bomb) < 200_000
    began = time.process_time()
    with pytest.raises(ImageRefused, match=r"30000×30000 pixels, more than 40,000,000"):
        decode(bomb, 100)
    assert time.process_time() - began < 1.0


def names_of_environment(pid: int) -> set[str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {pair.partition(b"=")[0].decode() for pair in pairs if pair}


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_process_of_its_own_unpacks_and_goes_when_there_is_nothing_to_do() -> None:
    decoder = Decoder(idle=0.2)
    image = await decoder.decode(encoded(), CANVAS_SIDE)
    assert (image.width(), image.height()) == (60, 40)
    pid = decoder.pid
    assert pid is not None
    assert {name for name in names_of_environment(pid) if not name.startswith(("PYTHON", "L"))} <= {
        "PATH",
        "VIRTUAL_ENV",
    }
    with pytest.raises(ImageRefused, match="SVG"):
        await decoder.decode(b"<svg/>", CANVAS_SIDE)
    await decoder.decode(encoded("JPEG"), CANVAS_SIDE)
    assert decoder.pid == pid, "a refusal costs no process"
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert decoder.pid is None
    await decoder.close()


async def test_a_picture_that_ends_the_process_costs_that_picture_alone() -> None:
    decoder = Decoder()
    await decoder.decode(encoded(), CANVAS_SIDE)
    assert decoder.pid is not None
    os.kill(decoder.pid, 9)
    with pytest.raises(ImageRefused, match="broke down"):
        await decoder.decode(encoded(), CANVAS_SIDE)
    assert (await decoder.decode(encoded(), CANVAS_SIDE)).width() == 60
    await decoder.close()


async def test_a_picture_that_takes_too_long_is_given_up() -> None:
    decoder = Decoder()
    await decoder.decode(encoded(), CANVAS_SIDE)
    assert decoder.pid is not None
    os.kill(decoder.pid, 19)  # SIGSTOP: it will never answer
    decoder._patience = 0.3
    with pytest.raises(ImageRefused, match=r"more than 0\.3 s"):
        await decoder.decode(encoded(), CANVAS_SIDE)
    assert decoder.pid is None
    await decoder.close()


class Site:
    """A store of a call's pictures, and what was told of those that cannot be had."""

    def __init__(self, pauses: tuple[float, ...] = (0.05, 0.05)) -> None:
        self.told: list[tuple[str, str]] = []
        self.store = ImageStore(LOCAL, lambda shown, reason: self.told.append((shown, reason)), pauses)

    async def have(self, address: str, side: int = CANVAS_SIDE) -> Any | None:
        self.store.get(address, side)
        await asyncio.sleep(0.01)
        await self.store.idle()
        return self.store.get(address, side)


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer() as running:
        yield running


async def test_a_picture_is_there_once_it_has_come_and_says_so(server: PictureServer) -> None:
    site = Site()
    server.answers["/logo.png"] = [Told(encoded(), after=0.1)]
    address = f"{server.url}/logo.png"
    began = time.monotonic()
    assert site.store.get(address, CANVAS_SIDE) is None
    assert time.monotonic() - began < 0.05, "who asks does not wait"
    before = site.store.generation
    image = await site.have(address)
    assert image is not None and (image.width(), image.height()) == (60, 40)
    assert site.store.generation != before
    assert await site.have(address) is image
    assert server.asked == ["/logo.png"]
    assert site.told == []
    await site.store.close()


async def test_it_may_be_asked_for_on_another_thread(server: PictureServer) -> None:
    site = Site()
    server.answers["/a.png"] = [Told(encoded())]
    thread = threading.Thread(target=site.store.get, args=(f"{server.url}/a.png", AVATAR_SIDE))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert await site.have(f"{server.url}/a.png", AVATAR_SIDE) is not None
    await site.store.close()


async def test_a_picture_of_a_person_is_kept_small(server: PictureServer) -> None:
    site = Site()
    server.answers["/big.jpg"] = [Told(encoded("JPEG", 3000, 2000))]
    image = await site.have(f"{server.url}/big.jpg", AVATAR_SIDE)
    assert image is not None and (image.width(), image.height()) == (512, 341)
    await site.store.close()


async def test_a_picture_that_fails_is_tried_again_and_told_once(server: PictureServer) -> None:
    site = Site()
    server.answers["/late.png"] = [Told(status=503), Told(b"nothing"), Told(encoded())]
    assert await site.have(f"{server.url}/late.png?token=secret") is not None
    assert site.told == [(server.url, "the answer was 503")]
    assert len(server.asked) == 3
    await site.store.close()


async def test_a_picture_that_never_comes_is_given_up(server: PictureServer) -> None:
    site = Site()
    for _ in range(3):
        assert await site.have(f"{server.url}/none.png") is None
    assert len(server.asked) == 3, "once, and twice again"
    assert site.told == [(server.url, "the answer was 404")]
    await site.store.close()


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (Told(bytes(9 * 2**20)), "more than 8388608 bytes"),
        (Told(b"<svg/>"), "SVG is not drawn"),
        (Told(half_a_photograph()), "the JPEG is broken"),
        (Told(png_that_claims(30_000, 30_000)), "pixels, more than"),
        (Told(status=302, headers={"Location": "http://10.0.0.1/inside.png"}), "private, local or reserved"),
        (Told(status=302, headers={"Location": "file:///etc/passwd"}), "scheme 'file' is not allowed"),
        (Told(status=302, headers={"Location": "http://[::bad"}), "cannot be reached"),
    ],
)  # fmt: skip
async def test_what_a_server_sends_instead_of_a_picture_is_told(server: PictureServer, told: Told, reason: str) -> None:
    site = Site(pauses=())
    server.answers["/x"] = [told]
    assert await site.have(f"{server.url}/x") is None
    [(shown, why)] = site.told
    assert shown == server.url and reason in why
    await site.store.close()


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/x.png", "http://localhost/x.png", "http://169.254.169.254/latest"]
)
async def test_private_addresses_are_refused_unless_they_are_allowed(address: str) -> None:
    told: list[tuple[str, str]] = []
    store = ImageStore(GuardRules().guard(), lambda shown, reason: told.append((shown, reason)), ())
    store.get(address, CANVAS_SIDE)
    await asyncio.sleep(0.01)
    await store.idle()
    assert len(told) == 1 and "private, local or reserved" in told[0][1]
    await store.close()


@pytest.mark.parametrize(
    "address", ["", "avatar.png", "javascript:1", "http://user:s3cret@host/x.png", "https://" + "x" * 3000]
)
async def test_what_is_no_url_is_told_without_saying_it(address: str) -> None:
    site = Site(pauses=())
    assert await site.have(address) is None
    [(shown, why)] = site.told
    assert shown == "an address that is no URL" and "s3cret" not in why
    await site.store.close()


async def test_a_picture_may_be_in_its_address() -> None:
    site = Site()
    address = "data:image/png;base64," + base64.b64encode(encoded()).decode()
    image = await site.have(address)
    assert image is not None and image.width() == 60
    broken = "data:image/png;base64,AAAA"
    assert await site.have(broken) is None
    [(shown, why)] = site.told
    assert shown == "a data: URL" and "no picture" in why
    await site.store.close()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("data:image/png", "comma"), ("data:;base64,%%%", "not base64"), ("data:," + "a" * 70_000, "at most 65536")],
)
def test_a_data_url_that_is_none_is_refused(address: str, reason: str) -> None:
    with pytest.raises(UrlRefused, match=reason):
        content_of(address)


def test_a_data_url_may_be_percent_encoded() -> None:
    assert content_of("data:text/plain,a%20b") == b"a b"
    assert content_of("DATA:;BASE64,YQ%3D%3D") == b"a"


async def test_more_pictures_than_there_is_room_for_push_out_the_oldest(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("egress.images.store.KEPT_BYTES", 25_000)
    site = Site()
    for name in "abc":
        server.answers[f"/{name}"] = [Told(encoded())]
        assert await site.have(f"{server.url}/{name}") is not None
    assert site.store.held_bytes == 2 * 60 * 40 * 4
    assert await site.have(f"{server.url}/b") is not None
    assert await site.have(f"{server.url}/a") is not None
    assert server.asked == ["/a", "/b", "/c", "/a"]
    await site.store.close()


async def test_a_closed_store_waits_for_nobody(server: PictureServer) -> None:
    site = Site()
    server.answers["/slow"] = [Told(encoded(), after=3.0)]
    site.store.get(f"{server.url}/slow", CANVAS_SIDE)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await site.store.close()
    assert time.monotonic() - began < 2.0
    assert site.store.get(f"{server.url}/other", CANVAS_SIDE) is None


def test_each_picture_is_warned_of_once() -> None:
    told: list[Report] = []
    warnings = Warnings(told.append)
    for host in ("https://a.example:443", "https://b.example:443", "https://a.example:443"):
        warnings.unavailable(host, "the answer was 404")
    found = [report for report in told if isinstance(report, Warned)]
    assert [report.picture for report in found] == ["https://a.example:443", "https://b.example:443"]
    assert {report.code for report in found} == {"picture_unavailable"}
    assert found[0].message == "a picture is not shown: https://a.example:443: the answer was 404"
