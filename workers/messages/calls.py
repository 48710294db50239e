"""Messages about a call itself."""

from __future__ import annotations

from workers.calls.models import CallSettings
from workers.messages.shape import Connector, Message, StoreName


class UpdateCall(Message):
    """Change a call's settings, store or room, before it, or while it runs. What is not said stays as it is.

    A limit of duration counts at once; what is recorded already goes on as it began. The answer says what changed.
    """

    settings: CallSettings | None = None
    """Any part of the settings, laid over what was said of the call before. A layout is replaced as a whole."""
    external_storage: StoreName | None = None
    """The store of the call's recordings; null is that of the call's type again."""
    connector: Connector | None = None
    """The room of the call's sessions to come; null is that of the call's type again."""
