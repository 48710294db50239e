"""Janus: rooms of its VideoRoom plugin (Janus 1.x), attended by subscribing only."""

from egress.call.janus.connector import CONNECTOR

__all__ = ["CONNECTOR"]
