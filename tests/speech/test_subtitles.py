"""Subtitles that can be read and that players take: lines, times, voices, escapes."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.speech.contract import Line, Word
from egress.speech.cues import LONGEST, SHORTEST, WIDTH, cues, one_by_one, width
from egress.speech.subtitles import srt, txt, vtt

ZERO = 1_700_000_000.0
LONG = (
    "We have seen that the first deadline is on Friday, which is why everybody should read the agenda before. "
    "Whoever cannot come tells us by Thursday; the others meet in the large room, and the design is shown there."
)


def line(start: float, stop: float, text: str, speaker: str = "ann", **more: object) -> Line:
    return Line(ZERO + start, ZERO + stop, speaker, text, **more)  # type: ignore[arg-type]


def test_a_short_sentence_is_one_cue():
    assert srt([line(1.5, 3.25, "hello there")], ZERO) == "1\n00:00:01,500 --> 00:00:03,250\nhello there\n"
    told = vtt([line(3601.5, 3603.25, "hello there")], ZERO, {"ann": "Ann B."})
    assert told == "WEBVTT\n\n01:00:01.500 --> 01:00:03.250\n<v Ann B.>hello there</v>\n"


def test_a_long_one_becomes_several_of_two_lines_without_losing_a_word():
    told = cues([line(10, 20, LONG)], ZERO)
    assert " ".join(" ".join(cue.lines) for cue in told) == LONG
    assert all(width(text) <= WIDTH for cue in told for text in cue.lines)
    assert all(len(cue.lines) <= 2 for cue in told)
    assert all(cue.end - cue.start <= LONGEST for cue in told)
    assert told[0].start == 10
    assert told[-1].end == pytest.approx(20)
    assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(told))
    assert sum(cue.lines[-1].endswith((",", ".", ";")) for cue in told) >= len(told) - 1


def test_cues_begin_when_their_first_word_does_where_that_is_known():
    text = LONG.split()
    slow = tuple(Word(word, ZERO + 10 + n * 0.1, ZERO + 10.1 + n * 0.1, 1.0) for n, word in enumerate(text))
    told = cues([line(10, 20, LONG, words=slow)], ZERO)
    second = len(" ".join(told[0].lines).split())
    assert told[1].start == pytest.approx(10 + second * 0.1)


def test_somebody_who_speaks_for_long_in_few_words_has_cues_of_seven_seconds_at_most():
    told = cues([line(0, 9, "well what shall I say")], ZERO)
    assert len(told) == 2
    assert all(cue.end - cue.start <= LONGEST for cue in told)


@pytest.mark.parametrize("text", ["今日は会議の予定について話し合いましょう。" * 4, "สวัสดีครับ" * 20, "x" * 200])
def test_scripts_without_spaces_are_broken_between_signs(text: str):
    told = cues([line(0, 6, text)], ZERO)
    assert "".join("".join(cue.lines) for cue in told) == text
    assert all(width(part) <= WIDTH and not part.startswith("。") for cue in told for part in cue.lines)


def test_short_cues_are_shown_a_little_longer_but_not_into_the_speakers_next():
    told = cues([line(0, 0.3, "yes"), line(0.5, 0.7, "no"), line(5, 5.1, "well")], ZERO)
    assert told[0].end == pytest.approx(0.5)
    assert told[1].end == pytest.approx(0.5 + SHORTEST)
    assert told[2].end == pytest.approx(5 + SHORTEST)


def test_a_long_text_that_took_no_time_can_be_read_where_the_speaker_says_nothing_else():
    told = cues([line(5, 5, LONG)], ZERO)
    assert len(told) > 2
    assert all(cue.end - cue.start >= width(" ".join(cue.lines)) / 25 for cue in told)
    assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(told))
    hurried = cues([line(5, 5, LONG), line(8, 9, "well")], ZERO)
    assert hurried[-2].end == pytest.approx(8)
    assert all(cue.end - cue.start >= 0.5 for cue in hurried)


def test_two_at_once_overlap_in_webvtt_and_take_turns_in_subrip():
    lines = [line(1, 4, "I think that"), line(1.2, 3, "no", "bob"), line(3.5, 5, "wait", "bob")]
    assert "00:00:01.000 --> 00:00:04.000" in vtt(lines, ZERO)
    told = one_by_one(cues(lines, ZERO))
    assert [cue.speaker for cue in told] == ["ann", "bob", "bob"]
    assert all(a.end <= b.start for a, b in itertools.pairwise(told))
    assert all(cue.end - cue.start >= SHORTEST - 1e-9 for cue in told)


def test_names_and_texts_cannot_break_the_file():
    lines = [line(0, 2, "a --> b & <i>c</i>\n\nWEBVTT", "x")]
    told = vtt(lines, ZERO, {"x": "<v Eve>\n& co"})
    assert told.split("\n")[3] == "<v &lt;v Eve&gt; &amp; co>a --&gt; b &amp; &lt;i&gt;c&lt;/i&gt; WEBVTT</v>"
    assert told.count("-->") == 1
    assert srt(lines, ZERO).count("-->") == 1
    assert "\n\n" not in srt(lines, ZERO).strip()


def test_what_was_said_outside_the_media_is_left_out():
    lines = [line(-9, -5, "before"), line(-1, 2, "at the start"), line(8, 12, "at the end"), line(10, 11, "after")]
    told = cues(lines, ZERO, until=ZERO + 10)
    assert [" ".join(cue.lines) for cue in told] == ["at the start", "at the end"]
    assert told[0].start == 0


def test_text_to_read_has_a_paragraph_for_each_turn():
    lines = [line(1, 2, "hello"), line(3, 4, "all"), line(65, 66, "hi", "bob")]
    assert txt([line(400_000, 400_001, "late")], ZERO) == "[111:06:40] ann: late\n"
    assert txt(lines, ZERO, {"ann": "Ann"}) == "[00:00:01] Ann: hello all\n[00:01:05] bob: hi\n"


def test_nothing_said_is_an_empty_file():
    assert srt([], ZERO) == ""
    assert txt([], ZERO) == ""
    assert vtt([], ZERO) == "WEBVTT\n"


def test_ffmpeg_reads_both(tmp_path: Path):
    lines = [line(1, 11, LONG), line(3, 5, "a & b < c", "bob"), line(20, 21, "今日は")]
    for name, text in (("t.srt", srt(lines, ZERO)), ("t.vtt", vtt(lines, ZERO))):
        path = tmp_path / name
        path.write_text(text)
        read = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", str(path), "-f", "srt", "-"], capture_output=True, text=True, check=True
        ).stdout
        assert read.count("-->") == text.count("-->")
        assert "a & b < c" in read
        assert "今日は" in read


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=300)


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0.01, 10), texts, st.sampled_from(["a", "b", "<c>"])), max_size=12)
)
def test_whatever_is_said_the_files_keep_their_form(said: list[tuple[float, float, str, str]]):
    lines = [line(at, at + lasted, text, who) for at, lasted, text, who in said]
    for cue in cues(lines, ZERO):
        assert cue.start >= 0
        assert cue.start < cue.end <= cue.start + LONGEST + 1e-6
        assert 1 <= len(cue.lines) <= 2
        assert all(text.strip() for text in cue.lines)
    told = one_by_one(cues(lines, ZERO))
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(told))
    blocks = vtt(lines, ZERO).split("\n\n")
    assert blocks[0].strip() == "WEBVTT"
    for block in blocks[1:]:
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}\n<v [^<>]+>[^<>]+</v>\s*$", block), block
