"""Who is told what of speech: egresses that begin and end at different times, translations, and speech that is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from egress import transcribing
from egress.call.model import Joined, Left, Participant
from egress.call.state import CallState
from egress.protocol.directions import Directions, Moderated
from egress.protocol.job import Job
from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    LanguageKept,
    Report,
    Spoken,
    Warned,
)
from egress.protocol.speech import ClosedCaptions, SpeechService, SpeechSpec, Transcription
from egress.silences import KEPT, Silences
from egress.speech.contract import Failure, Utterance, Word
from egress.speech.wire import message
from egress.transcribing import Transcribing
from tests.workers.conftest import until

ZOE = Participant("p1", "zoe", "Zoë", ("host", "user"), "https://pictures.example/zoe.png")


class Call:
    """A call with one guest, and what is told of her. No engine answers: texts are put in by hand."""

    def __init__(self, folder: Path, *, engine: bool = True) -> None:
        speech = SpeechService(socket=folder / "engine.sock", service="scripted") if engine else None
        job = Job(
            call_cid="default:talk",
            session_id="s1",
            connector={"type": "loopback"},
            spool=folder,
            epoch=3,
            speech=speech,
        )
        self.told: list[Report] = []
        self.shown: list[Mapping[str, Any]] = []
        self.state = CallState()
        self.state.apply(Joined(ZOE), time.monotonic())
        self.speech = Transcribing(job, self.state, self.told.append, self.shown.append)

    def begin(self, *specs: SpeechSpec) -> None:
        for spec in specs:
            self.speech.start(spec)
        self.speech.look()

    def say(self, text: str, at: float | None = None, **fields: Any) -> None:
        start = time.time() if at is None else at
        said = {"segments": (1,), "speaker": "p1", "start": start, "end": start + 1.0, "text": text, "language": "en"}
        self.speech._on_utterance(Utterance(**(said | fields)))

    def spoken(self) -> list[Spoken]:
        return [report for report in self.told if isinstance(report, Spoken)]

    def kinds(self) -> list[str]:
        return [report.report for report in self.told]


@pytest.fixture
async def call(tmp_path: Path) -> Call:
    return Call(tmp_path)


async def test_what_is_said_is_told_with_who_said_it(call: Call) -> None:
    call.begin(ClosedCaptions(egress_id="c"), Transcription(egress_id="t", words=True))
    start = time.time()
    call.say(
        "good morning", start, words=(Word("good", start, start + 0.4, 1.0), Word(" morning", start, start + 1, 0.7))
    )
    (spoken,) = call.spoken()

    assert (spoken.user_id, spoken.name, spoken.role, spoken.image) == ("zoe", "Zoë", "host", ZOE.image)
    assert (spoken.text, spoken.language, spoken.translated, spoken.service) == (
        "good morning",
        "en",
        False,
        "scripted",
    )
    assert spoken.egress_ids == ["c", "t"]
    assert [(word.text, word.probability) for word in spoken.words] == [("good", 1.0), ("morning", 0.7)]
    assert spoken.start_time.timestamp() == pytest.approx(start, abs=0.001)
    await call.speech.close("over")


async def test_translations_follow_a_millisecond_apart_for_those_who_want_them(call: Call) -> None:
    call.begin(
        ClosedCaptions(egress_id="c", translate_to=("de", "fr")), Transcription(egress_id="t", translate_to=("de",))
    )
    call.say("hello", translations={"de": "hallo", "fr": "bonjour"})
    original, german, french = call.spoken()

    assert [(s.text, s.language, s.translated, s.egress_ids) for s in (german, french)] == [
        ("hallo", "de", True, ["c", "t"]),
        ("bonjour", "fr", True, ["c"]),
    ]
    later = [(s.start_time - original.start_time).total_seconds() for s in (german, french)]
    assert later == pytest.approx([0.001, 0.002])
    assert len({s.id for s in call.spoken()}) == 3
    await call.speech.close("over")


async def test_everything_is_written_down_for_a_transcript_and_shown_to_the_room_for_captions(
    call: Call, tmp_path: Path
) -> None:
    call.begin(Transcription(egress_id="t"))
    call.say("only written")
    call.begin(ClosedCaptions(egress_id="c"))
    call.say("both", time.time() + 1)
    journal = (tmp_path / "t" / "said-e3.jsonl").read_text().splitlines()

    assert [Spoken.model_validate_json(line).text for line in journal] == ["only written", "both"]
    assert [one["closed_caption"]["text"] for one in call.shown] == ["both"]
    assert call.shown[0]["type"] == "closed_caption"
    await call.speech.close("over")


async def test_what_was_being_said_at_a_stop_is_told_before_the_end_and_what_came_later_is_not(call: Call) -> None:
    call.begin(ClosedCaptions(egress_id="c", silence_duration_ms=300), Transcription(egress_id="t"))
    before = time.time() - 0.5
    call.speech.stop("c", "enough")
    call.say("last words", before)
    call.say("too late", time.time() + 0.1)
    await asyncio.wait_for(call.speech.egresses["c"].over.wait(), 10)

    assert [(s.text, s.egress_ids) for s in call.spoken()] == [("last words", ["c", "t"]), ("too late", ["t"])]
    order = [r for r in call.told if getattr(r, "egress_id", "c") == "c" and not isinstance(r, Spoken)]
    assert [type(r) for r in order] == [EgressStarted, EgressStopped, EgressEnded]
    await call.speech.close("over")


async def test_one_that_never_began_ends_at_once(call: Call) -> None:
    call.speech.start(ClosedCaptions(egress_id="c"))
    await asyncio.wait_for(call.speech.close("the call was left"), 5)

    assert call.kinds() == ["egress_stopped", "egress_ended"]


async def test_who_has_left_is_still_known_by_what_they_said(call: Call) -> None:
    call.begin(ClosedCaptions(egress_id="c"))
    call.speech._recognizing.remember(ZOE)
    call.state.apply(Left("p1"), time.monotonic())
    call.say("goodbye")

    assert [s.user_id for s in call.spoken()] == ["zoe"]
    await call.speech.close("over")


async def test_who_is_silenced_is_judged_by_when_it_was_said(call: Call) -> None:
    call.begin(ClosedCaptions(egress_id="c"))
    call.speech.egresses["c"].began = time.time() - 100
    call.say("before", time.time() - 50)
    call.speech.direct(Directions(moderation=(Moderated(user_id="zoe", audio="silence"),)))
    begun = time.time()
    call.say("late text of before", begun - 5)
    call.say("in the middle of it", begun - 0.5)
    call.speech._recognizing.remember(ZOE)
    call.state.apply(Left("p1"), time.monotonic())
    call.say("silenced and gone", begun + 0.1)
    call.speech.direct(Directions())
    call.say("late text of then", begun - 0.9, end=begun + 0.01)
    call.say("after", time.time() + 0.1)

    assert [spoken.text for spoken in call.spoken()] == ["before", "late text of before", "after"]


def test_silences_are_forgotten_in_time() -> None:
    silences = Silences()
    silences.direct({"zoe"}, 10.0)
    silences.direct({"zoe"}, 2000.0)
    assert silences.touch("zoe", 1000.0, 1001.0)
    silences.direct(set(), 3000.0)
    assert silences.touch("zoe", 2999.0, 3001.0)
    silences.direct(set(), 3000.0 + KEPT + 1)
    assert not silences.touch("zoe", 2999.0, 3001.0)


async def test_without_an_engine_nothing_begins(tmp_path: Path) -> None:
    call = Call(tmp_path, engine=False)
    call.begin(ClosedCaptions(egress_id="c"))

    (failed,) = call.told
    assert isinstance(failed, EgressFailed)
    assert failed.code == "no_speech_engine"


async def test_one_that_gets_no_text_for_long_fails_and_a_text_in_between_counts(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribing, "ENGINE_AWAY", 0.2)
    lost = Failure("engine_away", "no engine answers")
    call.begin(ClosedCaptions(egress_id="c"))
    call.say("", failure=lost)
    await asyncio.sleep(0.3)
    call.say("it works again")
    call.say("", failure=lost)
    assert "egress_failed" not in call.kinds()
    await asyncio.sleep(0.3)
    call.say("", failure=lost)

    failed = call.told[-1]
    assert isinstance(failed, EgressFailed)
    assert (failed.code, failed.error) == ("engine_away", "no engine answers")
    await call.speech.close("over")


@contextlib.asynccontextmanager
async def english(folder: Path) -> AsyncIterator[None]:
    """An engine that says what it knows, and answers nothing."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(message({"op": "hello", "languages": ["en"], "translates_to": ["de"]}))
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(greet, folder / "engine.sock"):
        yield


async def look_until(call: Call, kind: str) -> None:
    async with asyncio.timeout(10):
        while kind not in call.kinds():
            call.speech.progress(1)
            await asyncio.sleep(0.02)


async def test_languages_into_which_nothing_translates_are_warned_of_once(call: Call, tmp_path: Path) -> None:
    async with english(tmp_path):
        call.begin(ClosedCaptions(egress_id="c", translate_to=("de", "es", "en")))
        await look_until(call, "warned")
        call.speech.progress(1)
        warnings = [report for report in call.told if isinstance(report, Warned)]
        await call.speech.close("over")

    assert [warning.code for warning in warnings] == ["language_not_translated"]
    assert "speech.translators.es" in warnings[0].message


async def test_what_is_to_be_heard_in_a_language_that_the_engine_does_not_know_fails(
    call: Call, tmp_path: Path
) -> None:
    """Its first text would be wrong, so it is not told; and nobody is listened to any more."""
    async with english(tmp_path):
        call.begin(ClosedCaptions(egress_id="c", language="fr"), Transcription(egress_id="t", language="fr"))
        await until(lambda: call.speech._recognizing.known is not None)
        call.say("beau cool")
        failed = [report for report in call.told if isinstance(report, EgressFailed)]
        assert [(one.egress_id, one.code) for one in failed] == [
            ("c", "language_not_understood"),
            ("t", "language_not_understood"),
        ]
        assert "does not understand 'fr', only en: name one of these or auto" in failed[0].error
        assert call.spoken() == []
        assert call.speech._recognizing._recognizer is None
        await call.speech.close("over")


async def test_what_runs_goes_on_where_another_language_is_none_that_the_engine_knows(
    call: Call, tmp_path: Path
) -> None:
    async with english(tmp_path):
        call.begin(ClosedCaptions(egress_id="c", language="auto", translate_to=("es",)))
        await look_until(call, "warned")
        assert call.speech.set_language("c", "fr")
        call.begin(Transcription(egress_id="t", language="fr"))
        call.say("still English", time.time() + 1)
        recognizer = call.speech._recognizing._recognizer
        assert recognizer is not None
        assert recognizer.settings.language == "auto"
        await call.speech.close("over")

    [warned] = [r for r in call.told if isinstance(r, Warned) and r.code == "language_not_understood"]
    assert warned.message.endswith("it goes on in 'auto'")
    [kept] = [report for report in call.told if isinstance(report, LanguageKept)]
    assert (kept.egress_id, kept.language, kept.refused) == ("c", "auto", "fr")
    [failed] = [report for report in call.told if isinstance(report, EgressFailed)]
    assert (failed.egress_id, failed.code) == ("t", "language_not_understood")
    assert [(spoken.text, spoken.egress_ids) for spoken in call.spoken()] == [("still English", ["c"])]


async def test_a_language_that_cannot_be_is_left_alone(call: Call) -> None:
    call.begin(ClosedCaptions(egress_id="c"))

    assert call.speech.set_language("c", "xx")
    assert call.speech.set_language("c", "fr")
    assert not call.speech.set_language("elsewhere", "fr")
    recognizer = call.speech._recognizing._recognizer
    assert recognizer is not None
    assert recognizer.settings.language == "fr"
    await call.speech.close("over")
