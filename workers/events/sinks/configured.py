"""The sinks that the settings name."""

from __future__ import annotations

import logging

from egress.url_guard import UrlRefused
from workers.events.sinks.lines import FileSink, StreamSink
from workers.events.sinks.sink import Sink
from workers.events.sinks.webhook import WebhookSink, hook_name
from workers.guard import guard_of
from workers.settings import Settings, SettingsError

log = logging.getLogger(__name__)


def sinks(settings: Settings) -> list[Sink]:
    """Raises SettingsError for a hook whose URL cannot be spoken to."""
    events = settings.events
    found: list[Sink] = []
    if events.write_file:
        found.append(FileSink(settings.events_file))
    if events.stdout:
        found.append(StreamSink())
    guard = guard_of(settings)
    for number, hook in enumerate(events.webhooks):
        try:
            sink = WebhookSink(hook, guard)
        except UrlRefused as error:
            raise SettingsError(f"settings: events.webhooks.{number}.url: {error}") from None
        if not sink.encrypted:
            log.warning("%s is told events in clear text that anybody on the way can read: use https", sink.shown)
        found.append(sink)
    return found


def sink_names(settings: Settings) -> list[str]:
    """The names of those sinks, whether or not they can be used."""
    events = settings.events
    names = [FileSink(settings.events_file).name] if events.write_file else []
    names += [StreamSink().name] if events.stdout else []
    return names + [hook_name(hook) for hook in events.webhooks]
