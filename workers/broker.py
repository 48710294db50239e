"""The queue that messages come by: inside the process, Redis or RabbitMQ, chosen by URL."""

from __future__ import annotations

from urllib.parse import urlsplit

import dramatiq
from dramatiq.middleware import CurrentMessage

from workers.settings import Settings

KEEP_DEAD_MS = 3_600_000
"""How long a broker keeps messages that could not be carried out: they may hold the secrets of rooms."""


class BrokerError(Exception):
    """The broker cannot be used. The text is one sentence for people."""


def connect(settings: Settings) -> dramatiq.Broker:
    """A broker for the URL of the settings. Nothing is sent over the network yet."""
    url = settings.broker.url.get_secret_value()
    broker: dramatiq.Broker
    if embedded(settings):
        from dramatiq.brokers.stub import StubBroker

        broker = StubBroker()
    elif url.startswith("redis"):
        from dramatiq.brokers.redis import RedisBroker

        # Messages are short work, so one that a dead worker held may be taken up again soon.
        broker = RedisBroker(  # type: ignore[no-untyped-call]
            url=url, maintenance_chance=50_000, heartbeat_timeout=60_000, dead_message_ttl=KEEP_DEAD_MS
        )
    else:
        from workers.rabbitmq import ShortMemory

        broker = ShortMemory(url=url, confirm_delivery=True, keep_dead_ms=KEEP_DEAD_MS)
    broker.add_middleware(CurrentMessage())
    return broker


def embedded(settings: Settings) -> bool:
    """Whether messages stay inside the process: then whoever sends one carries it out at once."""
    return settings.broker.url.get_secret_value().startswith("memory")


def shown_url(settings: Settings) -> str:
    """The URL without its password."""
    url = settings.broker.url.get_secret_value()
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:***@{host}").geturl()


def send(broker: dramatiq.Broker, queue: str, message_type: str, payload: dict[str, object]) -> str:
    """Put a message on the queue; returns its id. Raises BrokerError when the broker is away."""
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=queue, actor_name=message_type, args=(payload,), kwargs={}, options={}
    )
    try:
        broker.declare_queue(queue)
        broker.enqueue(message)
    except Exception as error:  # each driver has a family of its own, some without a common root
        raise BrokerError(f"the broker is out of reach: {error or type(error).__name__}") from None
    return message.message_id


def reachable(settings: Settings) -> None:
    """Ask the broker for a sign of life. Raises BrokerError."""
    if embedded(settings):
        return
    url = settings.broker.url.get_secret_value()
    try:
        if url.startswith("redis"):
            import redis

            client = redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3)
            try:
                client.ping()
            finally:
                client.close()
        else:
            import pika  # type: ignore[import-untyped]

            parameters = pika.URLParameters(url)
            parameters.socket_timeout = parameters.stack_timeout = 5
            parameters.connection_attempts = 1
            pika.BlockingConnection(parameters).close()
    except Exception as error:  # each driver has a family of its own, some without a common root
        raise BrokerError(f"{shown_url(settings)} does not answer: {error or type(error).__name__}") from None
