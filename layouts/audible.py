"""Who is heard: everybody, whoever is seen, unless ``audio.filter`` says otherwise."""

from __future__ import annotations

from layouts.plan import Options
from layouts.scene import CallView


def heard(options: Options, call: CallView) -> frozenset[str]:
    """The session ids of those whose sound, that of their screens too, is in the mix."""
    audible = options.in_force(call).audible
    return frozenset(guest.session_id for guest in call.participants if audible is None or audible.matches(guest))
