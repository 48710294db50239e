import re

import pytest

from egress.call.janus.display import Identity, identify


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("Alice", Identity("Alice", "Alice")),
        ("  Zoë  ", Identity("Zoë", "Zoë")),
        (None, Identity("42", "Guest")),
        ("", Identity("42", "Guest")),
        (
            '{"user_id": "u1", "name": "王芳", "roles": ["host", "user"], "image": "https://a/b.png"}',
            Identity("u1", "王芳", ("host", "user"), "https://a/b.png"),
        ),
        ('{"user_id": "u1", "source": "screen_share"}', Identity("u1", "u1", source="screen_share")),
        ('{"name": "Bo"}', Identity("Bo", "Bo")),
        ('{"user_id": 7, "name": "Bo"}', Identity("7", "Bo")),
        ('{"user_id": true, "name": ["x"], "roles": {"a": 1}}', Identity("42", "Guest")),
        ('{"name": "Bo", "roles": "host, user,host"}', Identity("Bo", "Bo", ("host", "user"))),
        ('{"name": "Bo", "image": "javascript:alert(1)"}', Identity("Bo", "Bo")),
        ("{not json", Identity("{not json", "{not json")),
        ("[1, 2]", Identity("[1, 2]", "[1, 2]")),
    ],
)
def test_a_display_says_who_somebody_is(display: str | None, expected: Identity) -> None:
    assert identify(display, 42) == expected


def test_a_pattern_reads_displays_of_another_form() -> None:
    pattern = re.compile(r"(?P<user_id>\w+)/(?P<name>[^/]+)(/(?P<roles>.*))?")

    assert identify("u1/Ana Lima/host,user", 1, pattern) == Identity("u1", "Ana Lima", ("host", "user"))
    assert identify("u2/Bo", 1, pattern) == Identity("u2", "Bo")


def test_a_display_that_does_not_fit_the_pattern_is_read_as_without_one() -> None:
    assert identify("Cy", 1, re.compile(r"(?P<user_id>\d+):(?P<name>.*)")) == Identity("Cy", "Cy")


def test_endless_displays_are_cut() -> None:
    found = identify("x" * 100_000, 1)

    assert len(found.name) == 255
    assert identify("{" * 100_000, 1).name == "{" * 255
