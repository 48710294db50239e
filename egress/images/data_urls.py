"""Pictures that are in their address (RFC 2397): ``data:image/png;base64,…``."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from egress.url_guard import UrlRefused

LONGEST = 64 * 1024
"""Characters of such an address."""


def is_data_url(address: str) -> bool:
    return address[:5].lower() == "data:"


def content_of(address: str) -> bytes:
    """The bytes in the address. Raises UrlRefused."""
    if len(address) > LONGEST:
        raise UrlRefused(f"a data: URL has at most {LONGEST} characters, this one has {len(address)}")
    head, comma, body = address[5:].partition(",")
    if not comma:
        raise UrlRefused("a data: URL has a comma before its content")
    content = unquote_to_bytes(body)
    if head.lower().rpartition(";")[2].strip() != "base64":
        return content
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise UrlRefused("the content of that data: URL is not base64") from None
