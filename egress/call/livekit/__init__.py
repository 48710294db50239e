"""LiveKit: rooms of a LiveKit server, attended as a hidden participant that only subscribes."""

from egress.call.livekit.connector import CONNECTOR

__all__ = ["CONNECTOR"]
