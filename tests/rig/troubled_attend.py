"""An attendant on a bad network: ``python -m tests.rig.troubled_attend --trouble trouble.json [its arguments …]``.

The product knows nothing of it: aioice's sockets are taken hold of before the attendant starts.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from tests.rig.trouble import armed_at


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] != "--trouble":
        raise SystemExit("usage: python -m tests.rig.troubled_attend --trouble trouble.json [attendant arguments …]")
    path = Path(sys.argv[2])
    del sys.argv[1:3]
    trouble = armed_at(path)
    attend = import_module("egress.attend")

    code = attend.main()
    print(f"trouble: {trouble}", file=sys.stderr)
    # As the attendant itself ends: threads of libraries may still be winding down.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
