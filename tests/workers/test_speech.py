"""What messages about transcripts and captions do, and what attendants tell of speech, in a real ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    LanguageKept,
    Report,
    Spoken,
)
from egress.speech.transcript import read
from tests.workers.conftest import CALL, CONNECTOR, make_settings
from tests.workers.test_answers import Backend
from workers.attending.admission import order
from workers.carry_out import Outcome
from workers.ledger import claims, clock, files, lifecycle, manifests, reports, transcripts
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.manifests import Reach
from workers.ledger.states import State
from workers.ledger.tables import Egress, File, TranscriptLine
from workers.uploads.transcripts import Transcripts

T0 = datetime(2026, 1, 5, 9, 12, 22, 310_000, tzinfo=UTC)


class Site(Backend):
    """Messages, and an attendant that reports."""

    _seq = 0

    def start(self, message: str = "start_transcription", egress_id: str = "t1", **fields: Any) -> Outcome:
        return self.send(message, egress_id=egress_id, connector=CONNECTOR, **fields)

    def begin(self) -> None:
        """All that is wanted has an attendant."""
        with self.ledger.writing() as tx:
            for egress in tx.scalars(select(Egress).where(Egress.state == "pending")).all():
                session = egress.session_id
                assert claims.claim(tx, session, self.settings.owner, clock.now(tx), 60.0) == 1
                lifecycle.starting(egress, T0)
        for egress_id in [id_ for id_, e in self.egresses().items() if e.state == "starting"]:
            self.report(EgressStarted(at=T0, egress_id=egress_id))

    def report(self, report: Report) -> None:
        self._seq += 1
        (session,) = self.sessions()
        told = report.model_copy(update={"seq": self._seq})
        settings = self.settings
        template = settings.storage.key_template
        self.ledger.write(lambda tx: reports.write(tx, session, 1, told, template, settings.owner, datetime.now(UTC)))

    def say(self, text: str, after: float = 0.0, *ids: str, **fields: Any) -> Spoken:
        start = T0 + timedelta(seconds=after)
        wanted = list(ids) or [id_ for id_, e in self.egresses().items() if not State(e.state).over]
        said: dict[str, Any] = {
            "at": T0,
            "id": f"{text}-{after}",
            "egress_ids": wanted,
            "participant": "p1",
            "user_id": "zoe",
            "name": "Zoë",
            "role": "host",
            "text": text,
            "start_time": start,
            "end_time": start + timedelta(seconds=2),
            "language": "en",
            "service": "scripted",
        }
        spoken = Spoken.model_validate({**said, **fields})
        self.report(spoken)
        return spoken

    def end(self, egress_id: str, reason: str = "stopped by message") -> None:
        self.report(EgressStopped(at=T0 + timedelta(seconds=60), egress_id=egress_id, reason=reason))
        self.report(EgressEnded(at=T0 + timedelta(seconds=60), egress_id=egress_id))

    async def make_transcripts(self) -> list[File]:
        """What a worker does about transcripts that are due; returns their files."""
        ledger = AsyncLedger(self.ledger)
        await Transcripts(ledger, self.settings).look()
        ledger.close()
        with self.ledger.reading() as tx:
            return list(tx.scalars(select(File).order_by(File.id)))

    def deliver(self, made: list[File]) -> None:
        for file in made:
            with self.ledger.writing() as tx:
                files.delivered(tx, file.id, f"https://store/{file.key}", file.size or 0, datetime.now(UTC))

    def told(self) -> list[str]:
        return [event["type"] for event in self.events()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "script.json").write_text("{}")
    one = Site(
        make_settings(
            tmp_path / "data",
            stores=[{"name": "archive", "storage_type": "s3", "bucket": "words"}],
            speech={"engine": "scripted", "model": str(tmp_path / "script.json")},
            call_types={
                "quiet": {"settings": {"transcription": {"mode": "disabled", "closed_caption_mode": "disabled"}}}
            },
        )
    )
    yield one
    one.ledger.close()


def test_a_start_says_all_that_an_attendant_needs(site: Site) -> None:
    settings = {
        "transcription": {
            "language": "fr",
            "speech_segment_config": {"silence_duration_ms": 500},
            "translation": {"enabled": True, "languages": ["en", "de", "en"]},
        }
    }
    site.send("update_call", settings=settings)
    site.start("start_closed_captions", "c1", speech_segment_config={"max_speech_caption_ms": 6000})

    spec = order(site.egresses()["c1"])

    assert spec.model_dump() == {
        "kind": "closed_captions",
        "egress_id": "c1",
        "language": "fr",
        "silence_duration_ms": 500,
        "max_speech_caption_ms": 6000,
        "translate_to": ("en", "de"),
    }


def test_one_message_starts_both_and_one_stops_both(site: Site) -> None:
    started = site.start(enable_closed_captions=True, transcription_external_storage="archive", request_id="r1")
    kinds = {e.kind: e for e in site.egresses().values()}

    assert started.egress_ids == [kinds["transcription"].id, kinds["closed_captions"].id]
    assert kinds["transcription"].storage == "archive"
    again = site.start(enable_closed_captions=True)
    assert (again.egress_ids, again.created, len(site.egresses())) == (["t1"], False, 2)
    stopped = site.send("stop_transcription", stop_closed_captions=True)
    assert set(stopped.egress_ids) == set(site.egresses())
    assert {e.desired for e in site.egresses().values()} == {"stop"}


def test_captions_that_run_already_are_no_reason_to_refuse_a_transcription_with_them(site: Site) -> None:
    site.start("start_closed_captions", "c1")

    assert site.start(enable_closed_captions=True).egress_ids == ["t1"]
    assert site.refused("start_closed_captions", egress_id="c2", connector=CONNECTOR).egress_id == "c1"
    assert [e for e in site.told() if e.endswith("failed")] == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [("stop_transcription", "transcription not running"), ("stop_closed_captions", "closed captions not running")],
)
def test_what_does_not_run_cannot_be_stopped(site: Site, message: str, sentence: str) -> None:
    refusal = site.refused(message)

    assert (refusal.code, str(refusal)) == (404, sentence)


def test_a_start_that_was_sent_before_a_stop_does_not_begin(site: Site) -> None:
    site.refused("stop_transcription")
    site.start(at=0)

    assert site.egresses()["t1"].state == "aborted"
    assert site.events("call.transcription_failed")[0]["error_code"] == "nothing_recorded"


@pytest.mark.parametrize("message", ["start_transcription", "start_closed_captions"])
def test_what_the_settings_disable_is_refused_and_told(site: Site, message: str) -> None:
    refusal = site.refused(message, call_cid="quiet:one", connector=CONNECTOR, egress_id="x1")
    (failed,) = site.events()

    assert refusal.code == 403
    assert failed["type"] == message.replace("start_", "call.") + "_failed"
    assert (failed["egress_id"], failed["error"]) == ("x1", str(refusal))
    assert failed["error_code"] == message.replace("start_", "") + "_disabled"


def test_what_is_disabled_is_named_where_it_was_asked_for_beside_another(site: Site) -> None:
    site.send("update_call", settings={"transcription": {"mode": "disabled"}})
    site.refused("start_closed_captions", egress_id="c1", connector=CONNECTOR, enable_transcription=True)
    failed = next(event for event in site.events() if event["egress_id"] == "c1")
    assert sorted(site.told()) == ["call.closed_captions_failed", "call.transcription_failed"]

    assert (failed["type"], failed["error_code"]) == ("call.closed_captions_failed", "transcription_disabled")


@pytest.mark.parametrize(
    ("message", "fields", "sentence"),
    [
        ("start_transcription", {"language": "xx"}, "language: 'xx' is not allowed; allowed are auto, en, fr"),
        ("start_closed_captions", {"speech_segment_config": {"silence_duration_ms": 200}}, "silence_duration_ms"),
        ("start_closed_captions", {"speech_segment_config": {"max_speech_caption_ms": 20000}}, "max_speech_caption_ms"),
        ("start_transcription", {"transcription_external_storage": "attic"}, "transcription_external_storage: 'attic'"),
        ("send_closed_caption", {"speaker_id": "zoe", "text": " "}, "text: must not be blank"),
        ("send_closed_caption", {"speaker_id": "zoe", "text": "hi", "start_time": "soon"}, "'soon' is no time"),
        ("update_call", {"settings": {"transcription": {"translation": {"languages": ["auto"]}}}}, "'auto'"),
    ],
)
def test_what_is_wrong_is_named(site: Site, message: str, fields: dict[str, Any], sentence: str) -> None:
    if message.startswith("start"):
        fields = {**fields, "connector": CONNECTOR}
    refusal = site.refused(message, **fields)

    assert refusal.code == 400
    assert sentence in str(refusal)


@pytest.mark.parametrize("message", ["start_transcription", "start_closed_captions"])
def test_a_language_that_the_loaded_model_does_not_know_is_refused(site: Site, message: str) -> None:
    site.languages = frozenset({"en"})
    refusal = site.refused(message, connector=CONNECTOR, egress_id="x1", language="fr")
    (failed,) = site.events()

    assert refusal.code == 400
    assert "does not understand 'fr', only en: name one of these or auto" in str(refusal)
    assert (failed["egress_id"], failed["error_code"]) == ("x1", "language_not_understood")
    assert failed["error"] == str(refusal)
    assert site.egresses() == {}
    site.send("update_call", settings={"transcription": {"language": "de"}})
    assert "'de'" in str(site.refused(message, connector=CONNECTOR))
    assert site.start(message, language="auto").created
    assert "'it'" in str(site.refused("update_transcription", language="it"))
    assert site.egresses()["t1"].spec["language"] == "auto"


def test_a_site_without_a_model_says_so(tmp_path: Path) -> None:
    one = Site(make_settings(tmp_path / "other"))
    refusal = one.refused("start_transcription", connector=CONNECTOR)
    one.ledger.close()

    assert "speech.model" in str(refusal)


def test_both_start_by_themselves_where_the_settings_say_so(site: Site) -> None:
    settings = {"transcription": {"mode": "auto-on", "closed_caption_mode": "auto-on"}}
    site.send("call_session_started", session_id="s1", connector=CONNECTOR, settings=settings)

    assert [(w.kind, w.auto, w.session_id) for w in site.automatic("s1")] == [
        ("transcription", True, "s1"),
        ("closed_captions", True, "s1"),
    ]


def test_a_new_language_reaches_what_runs(site: Site) -> None:
    site.start(enable_closed_captions=True)
    site.send("update_call", settings={"transcription": {"language": "de"}})
    assert {e.spec["language"] for e in site.egresses().values()} == {"de"}
    changed = site.send("update_transcription", language="auto")
    assert {e.spec["language"] for e in site.egresses().values()} == {"auto"}
    assert set(changed.egress_ids) == set(site.egresses())


def test_a_language_that_the_attendant_refused_is_none_that_anything_begins_with(site: Site) -> None:
    site.start()
    site.begin()
    site.send("update_transcription", language="fr")
    kept = {"egress_id": "t1", "language": "en", "refused": "fr"}
    site.report(LanguageKept(at=T0, **kept))
    site.start("start_closed_captions", "c1")
    assert {e.spec["language"] for e in site.egresses().values()} == {"en"}
    site.send("update_transcription", language="de")
    site.report(LanguageKept(at=T0, **kept))  # of an earlier wish
    assert {e.spec["language"] for e in site.egresses().values()} == {"de"}


def test_what_was_asked_for_along_with_a_refused_start_is_told_to_have_failed_too(site: Site) -> None:
    site.languages = frozenset({"en"})
    site.refused("start_transcription", connector=CONNECTOR, language="fr", enable_closed_captions=True)
    assert sorted(site.told()) == ["call.closed_captions_failed", "call.transcription_failed"]
    site.start("start_closed_captions", "c1", language="en")
    site.refused("start_transcription", connector=CONNECTOR, language="fr", enable_closed_captions=True)
    assert site.told()[2:] == ["call.transcription_failed"]
    assert len({event["egress_id"] for event in site.events() if event["type"].endswith("_failed")}) == 3


def test_a_sentence_from_elsewhere_is_in_the_language_of_what_runs(site: Site) -> None:
    site.start("start_closed_captions", "c1", language="fr")
    site.begin()
    site.send("send_closed_caption", speaker_id="max", text="Salut.")
    site.send("send_closed_caption", speaker_id="max", text="Hallo.", language="de")

    told = [event["closed_caption"]["language"] for event in site.events("call.closed_caption")]
    assert told == ["fr", "de"]


def test_a_caption_is_told_once_as_documented(site: Site) -> None:
    site.start("start_closed_captions", "c1")
    site.begin()
    spoken = site.say("thank you")
    site.report(spoken)
    (event,) = site.events("call.closed_caption")

    assert event["closed_caption"] == {
        "id": "thank you-0.0",
        "text": "thank you",
        "start_time": "2026-01-05T09:12:22.310000Z",
        "end_time": "2026-01-05T09:12:24.310000Z",
        "speaker_id": "zoe",
        "user": {"id": "zoe", "role": "host", "name": "Zoë"},
        "language": "en",
        "translated": False,
        "service": "scripted",
    }


def test_a_sentence_from_elsewhere_goes_the_same_way(site: Site) -> None:
    fields = {"speaker_id": "max", "text": " Hello. ", "caption_id": "x-1"}
    fields |= {"start_time": "2026-01-05T10:13:00+01:00", "end_time": "2026-01-05T10:13:02+01:00"}
    assert site.refused("send_closed_caption", **fields).code == 404
    site.start(enable_closed_captions=True)
    site.begin()
    for _ in range(2):
        site.send("send_closed_caption", **fields, user={"name": "Max"})
    (event,) = site.events("call.closed_caption")
    with site.ledger.reading() as tx:
        (line,) = tx.scalars(select(TranscriptLine))

    assert event["closed_caption"]["text"] == line.text == "Hello."
    assert event["closed_caption"]["start_time"] == "2026-01-05T09:13:00.000000Z"
    assert (line.egress_id, line.speaker_id, line.name) == ("t1", "max", "Max")


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({"start_time": "0001-01-01T00:00:00+14:00"}, "start_time: '0001-01-01T00:00:00+14:00' lies outside"),
        ({"end_time": "9999-12-31T23:59:59-14:00"}, "end_time: '9999-12-31T23:59:59-14:00' lies outside"),
        ({"start_time": "2099-01-01T00:00:00Z"}, "end_time: 2099-01-01T00:00:00+00:00 lies in the future"),
        ({"end_time": "1970-01-01T00:00:00Z"}, "end_time: 1970-01-01T00:00:00+00:00 lies before 2026-01-05T09:12:22"),
        ({"start_time": "2026-01-05T09:13:00Z", "end_time": "2026-01-05T11:03:00Z"}, "10 minutes are allowed"),
    ],
)
def test_a_sentence_that_was_not_said_meanwhile_is_refused(site: Site, times: dict[str, str], sentence: str) -> None:
    site.start()
    site.begin()
    refusal = site.refused("send_closed_caption", speaker_id="max", text="hello", **times)

    assert refusal.code == 400
    assert sentence in str(refusal)


@pytest.mark.parametrize("by_message", [True, False])
def test_the_end_of_a_transcription_is_told_when_a_message_asked_for_it(site: Site, by_message: bool) -> None:
    site.start(enable_closed_captions=True)
    site.begin()
    if by_message:
        site.send("stop_all")
    for egress_id in site.egresses():
        site.end(egress_id, "stopped by message" if by_message else "the room has ended")

    assert ("call.transcription_stopped" in site.told()) is by_message
    assert "call.closed_captions_stopped" in site.told()
    assert {e.kind: e.state for e in site.egresses().values()} == {
        "closed_captions": "complete",
        "transcription": "finalizing",
    }


async def test_the_transcript_is_made_at_the_end_and_told_when_all_of_it_is_there(site: Site) -> None:
    site.start(egress_id="t1")
    site.begin()
    site.say("second", 5.0)
    site.say("first", 1.0)
    site.say("zuerst", 1.001, translated=True, language="de")
    site.say("drittens", 7.0, language="de")
    assert await site.make_transcripts() == []
    site.end("t1")

    made = await site.make_transcripts()
    site.deliver(made[:-1])
    assert site.events("call.transcription_ready") == []
    site.deliver(made[-1:])

    names = [Path(file.key or "").name.removeprefix("t1_20260105T091222Z_001") for file in made]
    assert names == [".jsonl", ".srt", ".vtt", ".de.jsonl", ".de.srt", ".de.vtt"]
    assert [line.text for line in read(Path(made[0].spool_path))] == ["first", "second", "drittens"]
    assert [line.text for line in read(Path(made[3].spool_path))] == ["zuerst", "drittens"]
    whole, german = (event["call_transcription"] for event in site.events("call.transcription_ready"))
    assert (whole["url"], whole.get("language")) == (f"https://store/{made[0].key}", None)
    assert (german["filename"], german["language"]) == ("t1_20260105T091222Z_001.de.jsonl", "de")
    assert site.egresses()["t1"].state == "complete"
    with site.ledger.reading() as tx:
        assert tx.scalars(select(TranscriptLine)).all() == []


async def test_a_call_in_which_nobody_spoke_has_a_transcript_without_a_line(site: Site) -> None:
    site.start()
    site.begin()
    site.end("t1")
    made = await site.make_transcripts()
    site.deliver(made)

    assert made[0].size == 0
    assert site.egresses()["t1"].state == "complete"
    assert len(site.events("call.transcription_ready")) == 1


async def test_what_was_said_before_a_failure_is_delivered(site: Site) -> None:
    site.start()
    site.begin()
    site.say("before it broke")
    site.report(EgressFailed(at=T0, egress_id="t1", code="engine_away", error="no engine answers"))
    site.deliver(await site.make_transcripts())

    assert site.egresses()["t1"].state == "failed"
    assert site.told()[-2:] == ["call.transcription_failed", "call.transcription_ready"]
    (failed,) = site.events("call.transcription_failed")
    assert (failed["error"], failed["error_code"]) == ("no engine answers", "engine_away")


async def test_what_an_attendant_told_nobody_is_in_the_transcript(site: Site) -> None:
    site.start()
    site.begin()
    told = site.say("told", 1.0)
    untold = told.model_copy(update={"id": "u", "text": "untold", "name": "A\u2028B", "start_time": T0})
    folder = site.settings.spools / "t1"
    folder.mkdir(parents=True)
    lines = [told.model_dump_json(), untold.model_dump_json(), '{"report": "spoken", "te']
    (folder / "said-e1.jsonl").write_text("\n".join(lines))
    site.end("t1")
    made = await site.make_transcripts()

    assert [line.text for line in read(Path(made[0].spool_path))] == ["untold", "told"]
    assert sorted(path.name for path in folder.iterdir()) == ["transcript.jsonl", "transcript.srt", "transcript.vtt"]


async def test_a_transcripts_manifest_tells_where_recordings_have_it(site: Site) -> None:
    site.start()
    site.begin()
    site.end("t1")
    site.deliver(await site.make_transcripts())
    started = site.egresses()["t1"].started_at
    assert started is not None
    site.send("start_recording", egress_id="r1", connector=CONNECTOR)
    with site.ledger.writing() as tx:
        recording = tx.get_one(Egress, "r1")
        file = files.opened(
            tx, recording, epoch=1, part=1, path=Path("/spool/r1/1.mp4"), start_time=started + timedelta(seconds=1.5),
            host=site.settings.owner,
        )  # fmt: skip
        files.closed(
            file, recording, site.settings.storage.key_template, start_time=file.start_time,
            end_time=started + timedelta(seconds=9), size=5, duration=7.5,
        )  # fmt: skip
    site.deliver([file])
    reach = Reach(site.settings.owner, frozenset({"local"}), frozenset(), 60.0)
    due = site.ledger.write(lambda tx: manifests.take(tx, reach, "local"))
    assert due is not None and due.egress_id == "t1"
    (told,) = json.loads(due.text)["recordings"]

    assert (told["egress_id"], told["offset"], told["url"]) == ("r1", 1.5, f"https://store/{file.key}")


def test_transcripts_of_workers_that_live_are_left_to_them(site: Site) -> None:
    site.start()
    site.begin()
    site.end("t1")
    mine = site.settings.owner

    def due(host: str) -> list[str]:
        with site.ledger.reading() as tx:
            return [egress.id for egress in transcripts.due(tx, host, 60.0)]

    assert due(mine) == ["t1"]
    assert due("another") == ["t1"], "its worker never gave a sign of life"
    from workers.ledger import hosts

    with site.ledger.writing() as tx:
        hosts.beat(tx, mine, "host", "1", clock.now(tx))
    assert (due(mine), due("another")) == (["t1"], [])
    assert site.egresses()["t1"].call_cid == CALL
