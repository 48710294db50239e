"""The demo call: synthetic guests in a process of their own send real WebRTC over 127.0.0.1."""

from egress.call.loopback.connector import CONNECTOR

__all__ = ["CONNECTOR"]
