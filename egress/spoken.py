"""What is told of an utterance: its text, and its translations to those who want them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from egress.call.model import Participant
from egress.composite import utc
from egress.protocol.reports import Spoken, SpokenWord
from egress.speech.contract import Utterance, Word
from egress.speech_egress import SpeechEgress

TRANSLATED_LATER = 0.001
"""Seconds by which a translation begins later than what it translates: whoever knows captions by speaker and start
would take it for the same one."""


def told(
    utterance: Utterance, who: Participant, wanted: Sequence[SpeechEgress], service: str
) -> Iterator[tuple[Spoken, Sequence[SpeechEgress]]]:
    """Each report of it, what was said first, with the egresses of ``wanted`` to which it belongs."""
    yield _spoken(utterance, who, wanted, service), wanted
    translations = ((target, text) for target, text in utterance.translations.items() if text)
    for number, (target, text) in enumerate(translations, start=1):
        some = [egress for egress in wanted if target in egress.spec.translate_to]
        if some:
            yield _spoken(utterance, who, some, service, target, text, number * TRANSLATED_LATER), some


def caption(call_cid: str, spoken: Spoken) -> dict[str, Any]:
    """As the room is told of it."""
    said = spoken.model_dump(mode="json", include={"id", "text", "start_time", "end_time", "language", "translated"})
    return {
        "type": "closed_caption",
        "call_cid": call_cid,
        "closed_caption": {**said, "speaker_id": spoken.user_id, "name": spoken.name},
    }


def _spoken(
    utterance: Utterance,
    who: Participant,
    wanted: Sequence[SpeechEgress],
    service: str,
    target: str | None = None,
    text: str = "",
    later: float = 0.0,
) -> Spoken:
    words = [] if target else [_word(word) for word in utterance.words]
    return Spoken(
        at=utc(time.time()),
        id=str(uuid.uuid4()),
        egress_ids=[egress.spec.egress_id for egress in wanted],
        participant=who.session_id,
        user_id=who.user_id,
        name=who.name,
        image=who.image,
        role=who.roles[0] if who.roles else "",
        text=text or utterance.text,
        start_time=_moment(utterance.start + later),
        end_time=_moment(max(utterance.end, utterance.start + later)),
        language=target or utterance.language,
        translated=target is not None,
        service=service,
        words=words,
    )


def _moment(seconds: float) -> datetime:
    return utc(round(seconds, 3))


def _word(word: Word) -> SpokenWord:
    return SpokenWord(
        text=word.text.strip(),
        start_time=_moment(word.start),
        end_time=_moment(word.end),
        probability=word.probability,
    )
