"""The page's modules are typed by their comments, and the types hold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import layouts
from tests.rig import npm
from tests.rig.required import require

_TYPESCRIPT = Path(__file__).parents[1] / "rig" / "typescript"
_APP = Path(layouts.__path__[0]) / "app"
_STRICT = ("--allowJs", "--checkJs", "--noEmit", "--strict")
_BROWSER = (
    "--target",
    "esnext",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
    "--lib",
    "esnext,dom,dom.iterable",
)


def test_the_types_of_the_page_hold() -> None:
    require(npm.why_not(_TYPESCRIPT) or (None if shutil.which("node") else "node is not installed (Debian: nodejs)"))
    compiler = npm.modules(_TYPESCRIPT) / "typescript" / "bin" / "tsc"
    command = ["node", str(compiler), *_STRICT, *_BROWSER, str(_APP / "main.js")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
