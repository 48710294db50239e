"""Who speaks and who leads, from sound levels."""

from __future__ import annotations

import pytest

from egress.call.speakers import ATTACK, HANGOVER, TAKE_OVER, Speakers

LOUD, LOUDER, QUIET = -25.0, -12.0, -70.0


def speak(speakers: Speakers, start: float, end: float, **levels: float) -> float:
    """Levels every 20 ms; returns the end."""
    for n in range(round((end - start) / 0.02)):
        for who, level in levels.items():
            speakers.hear(who, level, start + n * 0.02)
    return end


def test_nobody_speaks_in_silence():
    speakers = Speakers()
    speak(speakers, 0, 2, a=QUIET, b=-127.0)
    assert not speakers.is_speaking("a", 2)
    assert speakers.dominant(2) is None


def test_a_click_is_no_speech():
    speakers = Speakers()
    speakers.hear("a", LOUDER, 1.0)
    assert not speakers.is_speaking("a", 1.0)
    speakers.hear("a", LOUDER, 1.02)
    assert not speakers.is_speaking("a", 1.03)


def test_somebody_speaks_after_a_moment_and_until_a_moment_after():
    speakers = Speakers()
    speak(speakers, 0, 1, a=LOUD)
    assert speakers.is_speaking("a", 1)
    assert speakers.is_speaking("a", 0.98 + HANGOVER - 0.01)
    assert not speakers.is_speaking("a", 0.98 + HANGOVER + 0.01)
    assert ATTACK < HANGOVER


def test_pauses_between_words_do_not_flicker():
    speakers = Speakers()
    states = []
    for n in range(6):
        speak(speakers, n * 0.7, n * 0.7 + 0.3, a=LOUD)
        speak(speakers, n * 0.7 + 0.3, (n + 1) * 0.7, a=QUIET)
        states += [speakers.is_speaking("a", n * 0.7 + t) for t in (0.3, 0.5, 0.69)]
    assert all(states)


def test_the_first_to_speak_leads_at_once():
    speakers = Speakers()
    speak(speakers, 0, 0.2, a=LOUD, b=QUIET)
    assert speakers.dominant(0.2) == "a"


def test_the_leader_stays_while_nobody_speaks():
    speakers = Speakers()
    speak(speakers, 0, 2, a=LOUD, b=QUIET)
    assert speakers.dominant(2) == "a"
    speak(speakers, 2, 30, a=QUIET, b=QUIET)
    assert speakers.dominant(30) == "a"


def test_a_short_word_of_another_does_not_take_the_lead():
    speakers = Speakers()
    speak(speakers, 0, 4, a=LOUD, b=QUIET)
    assert speakers.dominant(4) == "a"
    speak(speakers, 4, 4.3, a=LOUD, b=LOUD)
    assert speakers.dominant(4.3) == "a"


def test_who_goes_on_speaking_takes_over():
    speakers = Speakers()
    speak(speakers, 0, 4, a=LOUD, b=QUIET)
    assert speakers.dominant(4) == "a"
    speak(speakers, 4, 7, a=QUIET, b=LOUD)
    assert speakers.dominant(7) == "b"


def test_a_leader_who_sends_nothing_any_more_can_be_followed():
    # Discontinuous transmission, or a mute: no packets at all, so no level says that they are silent.
    speakers = Speakers()
    speak(speakers, 0, 10, a=LOUDER)
    assert speakers.dominant(10) == "a"
    speak(speakers, 10, 14, b=LOUD)
    assert speakers.dominant(14) == "b"


def test_two_who_speak_alike_do_not_swap_the_lead():
    speakers = Speakers()
    leaders = set()
    for n in range(100):
        speak(speakers, n * 0.1, (n + 1) * 0.1, a=LOUD - n % 3, b=LOUD - (n + 1) % 3)
        leaders.add(speakers.dominant((n + 1) * 0.1))
    assert len(leaders) == 1


def test_a_leader_who_left_is_forgotten():
    speakers = Speakers()
    speak(speakers, 0, 2, a=LOUD)
    assert speakers.dominant(2) == "a"
    speakers.forget("a")
    assert speakers.dominant(2) is None
    assert not speakers.is_speaking("a", 2)
    speakers.forget("nobody")


def test_levels_that_come_late_or_out_of_order_do_no_harm():
    speakers = Speakers()
    speak(speakers, 10, 12, a=LOUD)
    speakers.hear("a", LOUD, 5.0)
    assert speakers.is_speaking("a", 12) in (True, False)
    speak(speakers, 12, 13, a=LOUD)
    assert speakers.is_speaking("a", 13)


@pytest.mark.parametrize("levels", [(-20.0, -20.0), (-10.0, -35.0), (-20.0, -38.0)])
@pytest.mark.parametrize("gap", [0.0, 0.3, 0.65, 1.0, 2.0])
@pytest.mark.parametrize("sends", [True, False], ids=["silence is sent", "nothing is sent"])
def test_the_next_speaker_need_not_outweigh_what_is_left_of_the_one_before(
    levels: tuple[float, float], gap: float, sends: bool
) -> None:
    speakers = Speakers()
    end = speak(speakers, 0, 4, a=levels[0], b=-127.0)
    assert speakers.dominant(end) == "a"
    silence = {"a": -127.0} if sends else {}
    begins = speak(speakers, end, end + gap, **silence, b=-127.0)
    now = begins
    while speakers.dominant(now) != "b":
        now = speak(speakers, now, now + 0.02, **silence, b=levels[1])
        assert now - begins < TAKE_OVER + 0.1
    assert now - begins >= TAKE_OVER, "a word alone does not take the lead"
