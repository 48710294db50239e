"""RabbitMQ as dramatiq speaks to it, but that what could not be carried out is not kept for a week."""

from __future__ import annotations

import logging
from typing import Any

import pika  # type: ignore[import-untyped]
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import xq_name

log = logging.getLogger(__name__)


class ShortMemory(RabbitmqBroker):
    """A broker whose queues of dead letters forget after ``keep_dead_ms``: messages may hold the secrets of rooms."""

    def __init__(self, *, keep_dead_ms: int, **options: Any) -> None:
        super().__init__(**options)
        self._keep_dead_ms = keep_dead_ms

    def _declare_xq_queue(self, queue_name: str) -> Any:
        name = xq_name(queue_name)
        arguments = {"x-message-ttl": self._keep_dead_ms}
        try:
            return self.channel.queue_declare(queue=name, durable=True, arguments=arguments)
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code != 406:  # PRECONDITION_FAILED: it is there and keeps its messages for another time
                raise
        log.warning("%s is made anew, to keep messages for %d s only", name, self._keep_dead_ms // 1000)
        del self.channel
        self.channel.queue_delete(queue=name)
        return self.channel.queue_declare(queue=name, durable=True, arguments=arguments)
