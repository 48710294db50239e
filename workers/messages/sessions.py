"""Messages about sessions: when people begin to meet in a call, and when that is over."""

from __future__ import annotations

from workers.calls.models import CallSettings
from workers.messages.shape import Connector, Identifier, Message, StoreName


class CallSessionStarted(Message):
    """A session of the call has begun: its room is watched, and what is auto-on starts with the first participant.

    The hosted platform's event ``call.session_started`` is taken too, as it comes.
    """

    session_id: Identifier | None = None
    """Chosen by the sender. Without it the open session is meant, or a new one begun."""
    settings: CallSettings | None = None
    """Laid over what was said of the call before, as ``update_call`` does."""
    external_storage: StoreName | None = None
    """The store of the call's recordings, from now on."""
    connector: Connector | None = None
    """The room of the call, from now on."""


class CallSessionEnded(Message):
    """A session is over: everything of it is stopped, and nothing of it begins any more.

    The hosted platform's event ``call.session_ended`` is taken too, as it comes.
    """

    session_id: Identifier | None = None
    """Without it all sessions of the call end."""
