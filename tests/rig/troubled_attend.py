"""An attendant on a bad network: ``python -m tests.rig.troubled_attend --trouble trouble.json [its arguments …]``.

The product knows nothing of it: aioice's sockets are taken hold of before the attendant starts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.rig.trouble import armed_at


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] != "--trouble":
        raise SystemExit("usage: python -m tests.rig.troubled_attend --trouble trouble.json [attendant arguments …]")
    path = Path(sys.argv[2])
    del sys.argv[1:3]
    trouble = armed_at(path)
    from egress import attend

    try:
        attend.main()
    finally:
        print(f"trouble: {trouble}", file=sys.stderr)


if __name__ == "__main__":
    main()
