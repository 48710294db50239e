"""What LiveKit tells of participants, read; and what its farewells mean."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import models, rtc

from egress.call.livekit.departures import Then, departure, refusal
from egress.call.livekit.roster import Published, joined, published, track_type, updated
from egress.call.livekit.signal import Turned
from egress.call.model import REMOVED, TrackType


def track(sid: str = "TR_1", type_: Any = models.VIDEO, source: Any = models.CAMERA, **more: Any) -> models.TrackInfo:
    return models.TrackInfo(sid=sid, type=type_, source=source, **more)


def person(sid: str, *tracks: models.TrackInfo, version: int = 1, **more: Any) -> models.ParticipantInfo:
    told = {"identity": sid.lower(), "state": models.ParticipantInfo.ACTIVE, **more}
    return models.ParticipantInfo(sid=sid, tracks=tracks, version=version, **told)


@pytest.mark.parametrize(
    ("type_", "source", "expected"),
    [
        (models.VIDEO, models.CAMERA, TrackType.VIDEO),
        (models.AUDIO, models.MICROPHONE, TrackType.AUDIO),
        (models.VIDEO, models.SCREEN_SHARE, TrackType.SCREEN_SHARE),
        (models.AUDIO, models.SCREEN_SHARE_AUDIO, TrackType.SCREEN_SHARE_AUDIO),
        (models.VIDEO, models.UNKNOWN, TrackType.VIDEO),
        (models.AUDIO, models.UNKNOWN, TrackType.AUDIO),
        (models.AUDIO, models.CAMERA, None),
        (models.DATA, models.UNKNOWN, None),
    ],
)
def test_tracks_are_what_their_source_says(type_: Any, source: Any, expected: TrackType | None) -> None:
    assert track_type(track(type_=type_, source=source)) is expected


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (track(mime_type="video/VP8"), Published("TR_1", "vp8")),
        (track(mime_type="video/H264", muted=True), Published("TR_1", "h264", True)),
        (track(type_=models.AUDIO, mime_type="audio/red"), Published("TR_1", "opus")),
        (track(type_=models.AUDIO), Published("TR_1", "opus")),
        (
            track(mime_type="video/VP9"),
            Published("TR_1", "vp9", False, "its codec VP9 cannot be read, and it has no backup codec that can"),
        ),
        (
            track(
                mime_type="video/AV1",
                codecs=[
                    models.SimulcastCodecInfo(mime_type="video/AV1"),
                    models.SimulcastCodecInfo(mime_type="video/VP8"),
                ],
            ),
            Published("TR_1", "vp8"),
        ),
        (
            track(mime_type="video/VP8", encryption=models.Encryption.GCM),
            Published("TR_1", "vp8", False, "it is end-to-end encrypted"),
        ),
    ],
)
def test_a_track_that_cannot_be_read_says_why_and_a_backup_codec_helps(
    info: models.TrackInfo, expected: Published
) -> None:
    assert published(info) == expected


def test_of_two_cameras_of_one_participant_one_is_taken_and_kept_in_whatever_order_they_are_told() -> None:
    roster = joined([person("PA_1", track("TR_2"), track("TR_3"))], "roles")
    assert roster["PA_1"].tracks[TrackType.VIDEO].sid == "TR_2"
    for tracks in (("TR_3", "TR_2"), ("TR_1", "TR_3", "TR_2"), ("TR_2", "TR_1")):
        roster, _ = updated(roster, [person("PA_1", *map(track, tracks))], "roles")
        assert roster["PA_1"].tracks[TrackType.VIDEO].sid == "TR_2"
    roster, _ = updated(roster, [person("PA_1", track("TR_3"), track("TR_1", source=models.UNKNOWN))], "roles")
    assert roster["PA_1"].tracks[TrackType.VIDEO].sid == "TR_3"


def test_who_is_hidden_or_not_in_yet_is_nobody() -> None:
    hidden = person("PA_1", permission=models.ParticipantPermission(hidden=True))
    joining = person("PA_2", state=models.ParticipantInfo.JOINING)
    assert joined([hidden, joining], "roles") == {}


def test_an_update_that_is_older_than_what_is_known_changes_nothing() -> None:
    before = joined([person("PA_1", version=5, name="new")], "roles")
    after, _ = updated(before, [person("PA_1", version=4, name="old")], "roles")
    assert after == before


def test_who_is_disconnected_has_left_with_a_reason_and_a_newcomer_of_the_same_name_is_another() -> None:
    before = joined([person("PA_1", identity="ana")], "roles")
    gone = person(
        "PA_1",
        identity="ana",
        version=2,
        state=models.ParticipantInfo.DISCONNECTED,
        disconnect_reason=models.DUPLICATE_IDENTITY,
    )
    after, reasons = updated(before, [person("PA_2", identity="ana"), gone], "roles")
    assert list(after) == ["PA_2"]
    assert reasons == {"PA_1": "duplicate identity"}


@pytest.mark.parametrize(
    ("reason", "action", "then", "code"),
    [
        (models.PARTICIPANT_REMOVED, rtc.LeaveRequest.DISCONNECT, Then.END, REMOVED),
        (models.ROOM_DELETED, rtc.LeaveRequest.DISCONNECT, Then.END, ""),
        (models.ROOM_CLOSED, rtc.LeaveRequest.DISCONNECT, Then.WAIT, ""),
        (models.SERVER_SHUTDOWN, rtc.LeaveRequest.RECONNECT, Then.REJOIN, ""),
        (models.SERVER_SHUTDOWN, rtc.LeaveRequest.RESUME, Then.RESUME, ""),
        (models.MIGRATION, rtc.LeaveRequest.RESUME, Then.RESUME, ""),
        (models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT, Then.REJOIN, ""),
        (models.JOIN_FAILURE, rtc.LeaveRequest.DISCONNECT, Then.REJOIN, ""),
        (models.DUPLICATE_IDENTITY, rtc.LeaveRequest.DISCONNECT, Then.REJOIN, ""),
        (999, rtc.LeaveRequest.DISCONNECT, Then.REJOIN, ""),
    ],
)
def test_a_farewell_says_what_to_do_then(reason: Any, action: Any, then: Then, code: str) -> None:
    found = departure(rtc.LeaveRequest(reason=reason, action=action))
    assert (found.then, found.code) == (then, code)
    assert found.reason


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (401, "invalid API key: nobody", "unauthorized"),
        (401, "invalid token: eyJ, error: signature is invalid", "unauthorized"),
        (401, "permissions denied", "permission_denied"),
        (403, "no", "permission_denied"),
        (404, "requested room does not exist", "room_not_found"),
        (404, "<html>nginx</html>", "not_livekit"),
        (200, "", "not_livekit"),
        (400, "cannot decode attributes", "refused"),
    ],
)
def test_an_answer_that_turns_us_away_has_a_cause(status: int, said: str, code: str) -> None:
    error = refusal(Turned(status, said))
    assert error.code == code
    assert "eyJ" not in str(error)
