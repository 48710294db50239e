"""The doctor's check of what recording web pages needs: a browser, a screen, sound."""

from __future__ import annotations

import shutil

from workers.cli.doctor import Lacking

_NEEDED = {"Xvfb": "xvfb", "pulseaudio": "pulseaudio", "parec": "pulseaudio-utils", "setpriv": "util-linux"}
"""Programs, and the Debian packages that bring them."""


def check() -> str:
    from egress.browser.chromium import BrowserMissing, chromium

    missing = {package: program for program, package in _NEEDED.items() if shutil.which(program) is None}
    problems = []
    if missing:
        problems.append(f"{', '.join(missing.values())} missing (Debian: apt install {' '.join(missing)})")
    try:
        found = chromium()
    except BrowserMissing as error:
        problems.append(str(error))
    else:
        if found.unsandboxed:
            problems.append(f"the sandbox of {found.executable} is off: {found.unsandboxed}")
        as_whom = f" as {found.user.name}" if found.user is not None else ""
    if problems:
        raise Lacking(f"web pages cannot be recorded as they should: {'; '.join(problems)}")
    return f"{found.executable}, sandboxed{as_whom}, with Xvfb and PulseAudio"
