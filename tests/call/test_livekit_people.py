"""Who somebody is on LiveKit, and who counts as a guest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from egress.call.livekit.people import is_guest, participant
from egress.call.model import Participant

Info = models.ParticipantInfo


def info(**fields: Any) -> models.ParticipantInfo:
    return Info(**{"sid": "PA_1", "identity": "ana", "state": Info.ACTIVE, **fields})


def test_identity_name_and_session_are_those_of_the_server() -> None:
    assert participant(info(name="Ana María"), "roles") == Participant("PA_1", "ana", "Ana María")
    assert participant(info(name=" "), "roles").name == "ana", "who has no name is known by the identity"


@pytest.mark.parametrize(
    ("attributes", "metadata", "roles"),
    [
        ({"roles": "host, speaker"}, "", ("host", "speaker")),
        ({"roles": '["host", "speaker"]'}, "", ("host", "speaker")),
        ({"roles": "host"}, '{"roles": ["viewer"]}', ("host",)),
        ({"roles": " , "}, '{"roles": ["viewer"]}', ("viewer",)),
        ({}, '{"roles": ["host", "host", "", 5, " speaker "]}', ("host", "speaker")),
        ({}, '{"roles": "host,speaker"}', ("host", "speaker")),
        ({}, '{"roles": {"host": true}}', ()),
        ({}, '{"role": "host"}', ()),
        ({}, '["host"]', ()),
        ({}, '{"roles": ["host"', ()),
        ({}, "host", ()),
        ({"roles": "[host"}, "", ("[host",)),
    ],
)
def test_roles_are_an_attribute_or_in_metadata(
    attributes: dict[str, str], metadata: str, roles: tuple[str, ...]
) -> None:
    assert participant(info(attributes=attributes, metadata=metadata), "roles").roles == roles


def test_roles_have_the_key_that_the_address_says() -> None:
    both = info(attributes={"roles": "host", "app.roles": "viewer"})
    assert participant(both, "app.roles").roles == ("viewer",)


@pytest.mark.parametrize(
    ("attributes", "metadata", "image"),
    [
        ({"image": "https://example.org/a.png"}, "", "https://example.org/a.png"),
        ({}, '{"image": "http://example.org/a.png"}', "http://example.org/a.png"),
        ({"image": "file:///etc/passwd"}, '{"image": "https://example.org/a.png"}', "https://example.org/a.png"),
        ({"image": "javascript:alert(1)"}, "", None),
        ({"image": "https://example.org/" + "a" * 2048}, "", None),
        ({}, '{"image": 5}', None),
    ],
)
def test_an_image_is_an_http_url(attributes: dict[str, str], metadata: str, image: str | None) -> None:
    assert participant(info(attributes=attributes, metadata=metadata), "roles").image == image


def test_lengths_are_bounded() -> None:
    found = participant(
        info(identity="i" * 5000, name="n" * 5000, attributes={"roles": ",".join(f"r{n}" * 50 for n in range(500))}),
        "roles",
    )
    assert (len(found.user_id), len(found.name), len(found.roles)) == (255, 255, 32)
    assert max(map(len, found.roles)) == 64


@pytest.mark.parametrize(
    "metadata", ["[" * 100_000, '{"roles":' * 5_000, '{"roles": "\ud7ff"}', "{" + " " * 70_000 + "}", '{"roles": NaN}']
)
def test_hostile_metadata_does_no_harm(metadata: str) -> None:
    found = participant(info(metadata=metadata), "roles")
    assert found.user_id == "ana"


@given(
    metadata=st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.text() | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ).map(lambda value: json.dumps({"roles": value, "image": value})),
    ),
    roles=st.text(),
)
def test_whatever_guests_say_of_themselves_is_read(metadata: str, roles: str) -> None:
    found = participant(info(metadata=metadata, attributes={"roles": roles, "image": roles}), "roles")
    assert all(isinstance(role, str) and 0 < len(role) <= 64 for role in found.roles)
    assert found.image is None or found.image.startswith("http")


@pytest.mark.parametrize(
    ("fields", "guest"),
    [
        ({}, True),
        ({"state": Info.JOINED}, True),
        ({"state": Info.JOINING}, False),
        ({"state": Info.DISCONNECTED}, False),
        ({"permission": models.ParticipantPermission(hidden=True)}, False),
        ({"permission": models.ParticipantPermission(can_publish=True)}, True),
        ({"kind": Info.EGRESS}, False),
        ({"kind": Info.AGENT}, True),
        ({"kind": Info.SIP}, True),
        ({"kind": Info.INGRESS}, True),
        ({"kind": Info.AGENT, "permission": models.ParticipantPermission(hidden=True)}, False),
    ],
)
def test_guests_are_those_who_are_seen_or_heard(fields: dict[str, Any], guest: bool) -> None:
    assert is_guest(info(**fields)) is guest
