"""Where events go."""

from workers.events.sinks.lines import FileSink, StreamSink
from workers.events.sinks.sink import Envelope, NotTaken, Refused, Sink, SinkError

__all__ = ["Envelope", "FileSink", "NotTaken", "Refused", "Sink", "SinkError", "StreamSink"]
