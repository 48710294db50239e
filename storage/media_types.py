"""What kind of file a key names, as HTTP says it (RFC 9110, 8.3)."""

from __future__ import annotations

from pathlib import PurePosixPath

_TYPES = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".webm": "video/webm",
    ".mka": "audio/x-matroska",
    ".mkv": "video/x-matroska",
    ".ogg": "audio/ogg",
    ".m4s": "video/iso.segment",
    ".ts": "video/mp2t",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".vtt": "text/vtt; charset=utf-8",
    ".srt": "application/x-subrip",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown; charset=utf-8",
    ".zip": "application/zip",
}


def media_type(key: str) -> str:
    return _TYPES.get(PurePosixPath(key).suffix.lower(), "application/octet-stream")
