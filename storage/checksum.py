"""The checksum by which parts are told apart and checked on arrival."""

from __future__ import annotations

import base64
import zlib


def crc32(data: bytes) -> str:
    """CRC-32 (ISO 3309) as S3 writes it: big-endian, in base64."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode("ascii")
