"""Whether a test may be left out because something that it needs cannot be had here.

On somebody's own machine it may, and says why in one line. Under CI (its variable ``CI``) it may not: a test that never
ran proves nothing, so it fails there.
"""

from __future__ import annotations

import os

import pytest


def require(reason: str | None) -> None:
    """For fixtures: ``reason`` is why what they bring cannot be had, None when it can."""
    if reason is None:
        return
    if under_ci():
        pytest.fail(f"CI has to run this: {reason}")
    pytest.skip(reason)


def unless(reason: str | None) -> pytest.MarkDecorator:
    """The same as a mark, for tests that start what they need on their own and so fail where it is left to them."""
    return pytest.mark.skipif(reason is not None and not under_ci(), reason=reason or "")


def under_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
