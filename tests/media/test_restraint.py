"""What is kept back of participants: at once when it begins, at its own time when it ends."""

from __future__ import annotations

from egress.media.restraint import Restraints
from egress.media.video_source import Picture, TrackKey
from tests.media.fakes import picture

ANNA, SCREEN, BERT = ("anna", "video"), ("anna", "screen_share"), ("bert", "video")


def taken(at: float) -> dict[TrackKey, Picture]:
    return {key: Picture(picture(64, 36, 100), 0, 1, at) for key in (ANNA, SCREEN, BERT)}  # type: ignore[misc]


def blurred(restraints: Restraints, at: float) -> set[TrackKey]:
    return {key for key, one in restraints.shown(taken(at)).items() if one.blurred}


def test_nothing_is_kept_back_unless_somebody_said_so() -> None:
    pictures = taken(1.0)
    assert Restraints().shown(pictures) is pictures
    assert Restraints().silenced(1.0) == frozenset()


def test_a_blur_is_of_camera_and_screen_and_of_what_was_taken_before_it() -> None:
    restraints = Restraints()
    restraints.say("anna", "blur", False, 10.0)
    assert blurred(restraints, 9.0) == blurred(restraints, 11.0) == {ANNA, SCREEN}


def test_what_was_taken_under_a_blur_stays_blurred_when_it_is_shown_later() -> None:
    restraints = Restraints()
    restraints.say("anna", "blur", False, 10.0)
    restraints.say("anna", "show", False, 12.0)
    assert blurred(restraints, 11.9) == {ANNA, SCREEN}
    assert blurred(restraints, 12.0) == set()


def test_who_is_hidden_is_in_no_picture() -> None:
    restraints = Restraints()
    restraints.say("anna", "hide", False, 10.0)
    assert set(restraints.shown(taken(9.5))) == {BERT}
    restraints.say("anna", "blur", False, 12.0)
    assert set(restraints.shown(taken(11.0))) == {BERT}, "what was taken while they were hidden"
    assert blurred(restraints, 12.5) == {ANNA, SCREEN}


def test_a_voice_is_silent_from_at_once_until_it_was_said() -> None:
    restraints = Restraints()
    restraints.say("bert", "show", True, 10.0)
    assert restraints.silenced(9.0) == {"bert"}
    restraints.say("bert", "show", False, 12.0)
    assert (restraints.silenced(11.9), restraints.silenced(12.0)) == ({"bert"}, frozenset())


def test_what_is_said_again_changes_nothing() -> None:
    restraints = Restraints()
    for now in (10.0, 11.0):
        restraints.say("anna", "blur", True, now)
    restraints.say("anna", "show", False, 12.0)
    assert blurred(restraints, 12.0) == set()


def test_who_leaves_stays_kept_back_while_anything_of_theirs_may_be_shown_and_is_forgotten_then() -> None:
    restraints = Restraints()
    restraints.say("anna", "blur", True, 10.0)
    restraints.forget("anna", 11.0)
    assert blurred(restraints, 12.0) == {ANNA, SCREEN}
    assert restraints.silenced(12.0) == {"anna"}
    restraints.say("bert", "blur", False, 1000.0)
    assert blurred(restraints, 12.0) == {BERT}
