"""How calls came in, as the ledger keeps it; warnings as events; and who is not sent in again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from egress.call.model import REMOVED
from egress.protocol.reception import Reception, Spell, Spells
from egress.protocol.reports import EgressEnded, EgressFailed, EgressStarted, EgressStopped, Over, Received, Warned
from storage.keys import DEFAULT_TEMPLATE
from tests.workers.test_ledger import T0, begun, closed_part, state, tell, want
from workers.ledger import files, outbox, receptions, reports, warned
from workers.ledger.database import Ledger
from workers.ledger.tables import CallSession, Egress


def reception(start: float = 0.0, **fields: Any) -> Reception:
    began = T0 + timedelta(seconds=start)
    return Reception(start_time=began, end_time=began + timedelta(seconds=60), **fields)


def kept(ledger: Ledger) -> dict[str, Any]:
    with ledger.reading() as tx:
        return receptions.of(tx, "e1")


AWAY = Spells(count=1, seconds=2.0, listed=[Spell(start_time=T0, end_time=T0 + timedelta(seconds=2), reason="gone")])


def test_what_an_attendant_tells_at_its_end_is_kept_with_its_epoch(ledger: Ledger) -> None:
    begun(ledger)
    assert kept(ledger) == {"attendants": [], "left_out": 0}
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, EgressEnded(seq=2, at=T0, egress_id="e1", reception=reception(away=AWAY)))
    [entry] = kept(ledger)["attendants"]
    assert entry["epoch"] == 1
    assert Reception.model_validate(entry) == reception(away=AWAY)


def test_what_is_told_so_far_is_kept_until_more_is_told_and_never_after_the_end(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    for seconds in (15, 30):
        so_far = reception(unfinished=True).model_copy(update={"end_time": T0 + timedelta(seconds=seconds)})
        tell(ledger, Received(at=T0, egress_id="e1", reception=so_far))
    # The attendant is killed, the next one tells of itself.
    tell(ledger, Received(at=T0, egress_id="e1", reception=reception(40, unfinished=True)))
    [first, second] = kept(ledger)["attendants"]
    assert Reception.model_validate(first) == so_far
    tell(ledger, EgressEnded(seq=2, at=T0, egress_id="e1", reception=reception(40)))
    tell(ledger, Received(at=T0, egress_id="e1", reception=reception(40, unfinished=True)))
    assert kept(ledger)["attendants"] == [first, {name: second[name] for name in second if name != "unfinished"}]


def test_an_attendant_that_another_worker_adopted_has_one_entry(ledger: Ledger) -> None:
    begun(ledger)
    with ledger.writing() as tx:
        receptions.add(tx, "e1", 1, reception(unfinished=True))
        receptions.add(tx, "e1", 2, reception())
    [entry] = kept(ledger)["attendants"]
    assert entry["epoch"] == 2 and "unfinished" not in entry


def test_so_is_what_goes_with_a_failure(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressFailed(seq=1, at=T0, egress_id="e1", code="x", error="y", reception=reception()))
    assert len(kept(ledger)["attendants"]) == 1


def test_each_attendant_of_an_egress_has_an_entry_of_its_own_in_the_order_of_their_times(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2))
    tell(ledger, EgressEnded(seq=3, at=T0, egress_id="e1", unasked=True, reception=reception(60)))
    tell(ledger, EgressEnded(seq=4, at=T0, egress_id="e1", reception=reception(120)))
    # One of a former lease, which finishes while another worker has the session.
    with ledger.writing() as tx:
        late = EgressEnded(seq=9, at=T0, egress_id="e1", unasked=True, reception=reception(0))
        reports.write_stale(tx, "s1", 0, late, DEFAULT_TEMPLATE, "host")
        reports.write_stale(tx, "s1", 0, late, DEFAULT_TEMPLATE, "host")
    told = kept(ledger)["attendants"]
    assert [(entry["epoch"], entry["start_time"]) for entry in told] == [
        (0, "2025-02-10T09:15:44.252969Z"),
        (1, "2025-02-10T09:16:44.252969Z"),
        (1, "2025-02-10T09:17:44.252969Z"),
    ]
    assert state(ledger) == "finalizing", "a former attendant decides nothing"


def test_of_very_many_attendants_the_last_ones_are_kept_and_the_others_counted(ledger: Ledger) -> None:
    begun(ledger)
    with ledger.writing() as tx:
        for n in range(receptions.MOST + 3):
            receptions.add(tx, "e1", 1, reception(60.0 * n))
    found = kept(ledger)
    assert len(found["attendants"]) == receptions.MOST
    assert found["left_out"] == 3
    assert Reception.model_validate(found["attendants"][0]).start_time == T0 + timedelta(seconds=180)


def warning(**fields: Any) -> Warned:
    base = {"code": "track_unreadable", "message": "the camera of Anna is not received", "participant": "p1"}
    return Warned.model_validate({"at": T0, "user_id": "anna", "track": "video", **base, **fields})


def told_warnings(ledger: Ledger) -> list[dict[str, Any]]:
    with ledger.reading() as tx:
        return [e.payload for e in outbox.after(tx, 0) if e.type == "egress.warning"]


def test_a_warning_is_an_event(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, warning(seq=1))
    assert told_warnings(ledger) == [
        {
            "type": "egress.warning",
            "created_at": "2025-02-10T09:15:44.252969Z",
            "call_cid": "default:abc",
            "session_id": "s1",
            "code": "track_unreadable",
            "message": "the camera of Anna is not received",
            "participant_session_id": "p1",
            "user_id": "anna",
            "track": "video",
        }
    ]


def test_each_picture_that_cannot_be_had_is_a_cause_of_its_own(ledger: Ledger) -> None:
    begun(ledger)
    for seq, picture in enumerate(["https://a.example:443", "https://b.example:443", "https://a.example:443"], start=1):
        told = {"code": "picture_unavailable", "message": picture, "picture": picture}
        tell(ledger, Warned.model_validate({"at": T0, "seq": seq, **told}))
    assert [w["message"] for w in told_warnings(ledger)] == ["https://a.example:443", "https://b.example:443"]


def test_a_warning_is_told_once_for_each_cause_whichever_attendant_tells_it(ledger: Ledger) -> None:
    begun(ledger)
    for seq, one in enumerate(
        [
            warning(),
            warning(message="in other words"),
            warning(track="audio"),
            warning(participant="p2"),
            warning(code="other"),
            warning(egress_id="e1"),
        ],
        start=1,
    ):
        tell(ledger, one.model_copy(update={"seq": seq}))
    found = told_warnings(ledger)
    assert [(w["code"], w["participant_session_id"], w["track"], w.get("egress_id")) for w in found] == [
        ("track_unreadable", "p1", "video", None),
        ("track_unreadable", "p1", "audio", None),
        ("track_unreadable", "p2", "video", None),
        ("other", "p1", "video", None),
        ("track_unreadable", "p1", "video", "e1"),
    ]


def test_of_the_call_itself_each_sentence_is_a_cause(ledger: Ledger) -> None:
    begun(ledger)
    of_call = {"participant": None, "user_id": None, "track": None, "code": "language_not_translated"}
    for seq, language in enumerate(("es", "fr", "es"), start=1):
        tell(ledger, warning(seq=seq, message=f"nothing translates into '{language}'", **of_call))
    assert [one["message"][-4:] for one in told_warnings(ledger)] == ["'es'", "'fr'"]


def test_a_flood_of_warnings_is_bounded_and_long_texts_are_cut(ledger: Ledger) -> None:
    begun(ledger)
    for n in range(warned.MOST + 5):
        tell(ledger, warning(seq=n + 1, participant=f"p{n}", message="m" * 5000))
    found = told_warnings(ledger)
    assert len(found) == warned.MOST
    assert {len(one["message"]) for one in found} == {1000}


@pytest.mark.parametrize(("code", "waits"), [(REMOVED, False), ("sfu_unreachable", True), ("", True)])
def test_who_was_put_out_is_not_sent_in_again_for_what_was_asked_for_before(
    ledger: Ledger, code: str, waits: bool
) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    want(ledger, "e2")
    tell(ledger, EgressStopped(seq=2, at=T0, egress_id="e1", reason="removed by an administrator"))
    tell(ledger, closed_part(3))
    tell(ledger, EgressEnded(seq=4, at=T0, egress_id="e1"))
    tell(ledger, Over(seq=5, at=T0, code=code, reason="removed by an administrator"))
    with ledger.writing() as tx:
        files.delivered(tx, 1, "file:///x.mp4", 1000, T0)
        first, second = tx.get_one(Egress, "e1"), tx.get_one(Egress, "e2")
        assert (first.state, first.stop_reason) == ("complete", "removed by an administrator")
        assert (second.state, second.error_code) == (("pending", None) if waits else ("failed", REMOVED))
        assert tx.get_one(CallSession, "s1").end_reason is None, "the room goes on"
