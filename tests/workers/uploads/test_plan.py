"""What is sent next: decisions alone, against a store that is only a dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.target import Part
from workers.uploads.pauses import Pauses
from workers.uploads.plan import MOST_PARTS, BeginAnew, Complete, Put, PutWhole, View, next_step, part_size_for
from workers.uploads.progress import Progress, Sent

P = 10


def view(size: int, sent: dict[int, int] | None = None, **said: object) -> View:
    defaults: dict[str, object] = {
        "closed": False,
        "changed": False,
        "part_size": P,
        "opened": sent is not None,
        "sent": sent or {},
        "checked": set(),
        "in_flight": set(),
        "idle": 0.0,
        "tail_after": 30.0,
    }
    return View(size=size, **{**defaults, **said})  # type: ignore[arg-type]


def test_a_part_goes_up_when_the_file_has_grown_beyond_it() -> None:
    assert next_step(view(P)) is None
    assert next_step(view(P + 1)) == Put(1, 0, P)
    assert next_step(view(3 * P + 1, {1: P})) == Put(2, P, P)
    assert next_step(view(3 * P + 1, {1: P}, in_flight={2})) == Put(3, 2 * P, P)
    assert next_step(view(P + 1, {1: P})) is None


def test_the_tail_goes_up_after_a_while_and_again_when_it_grew() -> None:
    assert next_step(view(3, idle=30.0)) == Put(1, 0, 3)
    assert next_step(view(P + 3, {1: P}, idle=30.0)) == Put(2, P, 3)
    assert next_step(view(P + 3, {1: P, 2: 3}, idle=99.0)) is None
    assert next_step(view(P + 4, {1: P, 2: 3}, idle=30.0)) == Put(2, P, 4)
    assert next_step(view(2 * P + 1, {1: P, 2: 3})) == Put(2, P, P)
    assert next_step(view(P + 3, {1: P}, idle=30.0, in_flight={1})) is None


def test_at_the_close_the_end_goes_before_the_head() -> None:
    closed = {"closed": True}
    assert next_step(view(2 * P + 5, {1: P, 2: P}, **closed)) == Put(3, 2 * P, 5)
    assert next_step(view(2 * P + 5, {1: P, 2: P}, **closed, in_flight={3})) is None
    assert next_step(view(2 * P + 5, {1: P, 2: P, 3: 5}, **closed, checked={3})) == Put(1, 0, P, compare=True)
    assert next_step(view(2 * P + 5, {1: P, 2: P, 3: 5}, **closed, checked={1, 3})) == Complete(3)


def test_a_file_whose_end_was_cut_is_compared_part_by_part() -> None:
    said = {"closed": True, "changed": True}
    assert next_step(view(P + 5, {1: P, 2: P, 3: 4}, **said)) == Put(2, P, 5)
    assert next_step(view(2 * P, {1: P, 2: P, 3: 4}, **said)) == Put(2, P, P, compare=True)
    assert next_step(view(2 * P, {1: P, 2: P, 3: 4}, **said, checked={1, 2})) == Complete(2)


def test_what_was_short_from_the_start_goes_up_whole() -> None:
    assert next_step(view(P, closed=True)) == PutWhole(P)
    assert next_step(view(0, closed=True)) == PutWhole(0)
    assert next_step(view(P + 1, closed=True)) == Put(2, P, 1)
    assert next_step(view(4, {1: 3}, closed=True)) == Put(1, 0, 4)


def test_a_file_of_too_many_parts_begins_anew_with_larger_ones() -> None:
    sent = dict.fromkeys(range(1, MOST_PARTS + 1), P)
    assert next_step(view(P * MOST_PARTS + 1, sent, idle=99.0)) is None
    assert next_step(view(P * MOST_PARTS + 1, sent, closed=True)) == BeginAnew()


@given(growth=st.lists(st.integers(1, 4 * P), min_size=1, max_size=12), tails=st.booleans(), cut=st.integers(0, 30))
def test_whatever_happens_the_store_gets_the_bytes_of_the_disk(growth: list[int], tails: bool, cut: int) -> None:
    data, store, sent = bytearray(), dict[int, bytes](), dict[int, int]()
    checked: set[int] = set()

    def go_on(*, closed: bool) -> Complete | PutWhole | None:
        while True:
            idle = 99.0 if tails else 0.0
            now = view(len(data), sent or None, closed=closed, changed=closed and cut > 0, checked=checked, idle=idle)
            step = next_step(now)
            if not isinstance(step, Put):
                assert not isinstance(step, BeginAnew)
                return step
            bytes_now = bytes(data[step.offset : step.offset + step.size])
            if not (step.compare and store[step.number] == bytes_now):
                store[step.number], sent[step.number] = bytes_now, step.size
            if closed:
                checked.add(step.number)

    for number, size in enumerate(growth):
        data += bytes([number + 1]) * size
        assert go_on(closed=False) is None
        usable = Progress("t", P, {n: Sent(Part(n, s, ""), 0.0) for n, s in sent.items()}).usable()
        assert b"".join(store[one.part.number] for one in usable) == bytes(data[: sum(o.part.size for o in usable)])
    if cut:
        del data[max(1, len(data) - cut) :]
    data[0] = 255
    last = go_on(closed=True)
    if isinstance(last, PutWhole):
        assert len(data) <= P and not sent
    else:
        assert isinstance(last, Complete)
        assert b"".join(store[number] for number in range(1, last.count + 1)) == bytes(data)


@given(expected=st.integers(0, 6 * 10**12))
def test_parts_are_large_enough_for_the_whole_file(expected: int) -> None:
    size = part_size_for(expected, 8 * 2**20)
    assert size % 2**20 == 0 and size * MOST_PARTS >= expected and size >= 8 * 2**20


def test_usable_parts_end_at_a_gap_and_at_a_short_one() -> None:
    def numbers(sizes: dict[int, int]) -> list[int]:
        progress = Progress("t", P, {n: Sent(Part(n, s, "tag", "sum"), 1.0) for n, s in sizes.items()})
        again = Progress.from_json(progress.as_json())
        assert again == progress
        return [sent.part.number for sent in progress.usable()]

    assert numbers({1: P, 2: P, 4: P}) == [1, 2]
    assert numbers({1: P, 2: 3, 3: P}) == [1, 2]
    assert numbers({2: P}) == []
    assert Progress.from_json(None) is None and Progress.from_json({"remove": True}) is None


def test_pauses_grow_to_a_minute_and_end_with_a_success() -> None:
    pauses, now, waited = Pauses(), 100.0, []
    for _ in range(8):
        pause = pauses.failed(now)
        assert not pauses.over(now + pause - 0.01) and pauses.over(now + pause)
        waited.append(pause)
        now += pause
    assert waited == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    pauses.succeeded()
    assert pauses.over(now) and not pauses.failing
    assert pauses.failed(now, hopeless=True) == 60.0


def test_failures_side_by_side_are_one_failure() -> None:
    pauses = Pauses()
    assert [pauses.failed(0.0), pauses.failed(0.1), pauses.failed(0.2)] == [1.0, 0.9, 0.8]
    assert pauses.failed(1.0) == 2.0
