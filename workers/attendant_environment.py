"""What attendants inherit of a worker's environment: what they need, and no key of ledger, stores and hooks."""

from __future__ import annotations

from collections.abc import Mapping

from workers.settings import Settings

_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "TZ",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "FONTCONFIG_FILE",
        "FONTCONFIG_PATH",
        # Not read by it: whoever looks at a process sees whose it is.
        "WALLFLOWER_DATA_DIR",
        "WALLFLOWER_LOG_LEVEL",
    }
)
_PROXIES = frozenset({"NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"})
_FAMILIES = ("LC_", "PYTHON", "XDG_")


def environment(settings: Settings, ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of an attendant, out of ``ours``."""
    kept = {
        name: value
        for name, value in ours.items()
        if name in _NAMES or name.upper() in _PROXIES or name.startswith(_FAMILIES)
    }
    return {**kept, "WALLFLOWER_LOGS__FORMAT": settings.logs.format}
