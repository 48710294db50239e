"""Found examples are the same in every run, so that a change is judged by what it changed; ``make soak`` rolls dice."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.rig.servers.postgresql import PostgreSQL
from tests.rig.servers.rabbitmq import RabbitMQ
from tests.rig.servers.redis import Redis

# A machine may be too busy to find examples fast, which says nothing of what they are found for.
_UNHURRIED = [HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=_UNHURRIED)
settings.register_profile("dice", deadline=None, max_examples=500, suppress_health_check=_UNHURRIED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A program that is run inside a test sends all logs to a stream that is closed when the test ends."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler and one not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """One cluster for all tests; a test that kills it takes one of its own."""
    if not PostgreSQL.installed():
        pytest.skip("postgresql is not installed")
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The URL of a new, empty database."""
    url = postgresql_server.database()
    yield url
    postgresql_server.drop(url)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    if not Redis.installed():
        pytest.skip("redis-server is not installed")
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: Redis) -> str:
    return redis_server.url


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    if not RabbitMQ.installed():
        pytest.skip("rabbitmq-server is not installed")
    with RabbitMQ() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_url(rabbitmq_server: RabbitMQ) -> str:
    return rabbitmq_server.url
