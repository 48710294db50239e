"""Filters: what they match, case by case, and the sentences that refuse what is none."""

from __future__ import annotations

from typing import Any

import pytest

from layouts.actions import COUNTS, Counts
from layouts.filters import DEEPEST, MOST, parse_filter
from layouts.said import LayoutError
from layouts.scene import ParticipantView

ANN = ParticipantView(
    "s1",
    "ann",
    "Ann",
    roles=("host", "admin"),
    has_video=True,
    has_audio=True,
    is_speaking=True,
    is_dominant_speaker=True,
)
BOB = ParticipantView("s2", "bob", "Bob", roles=("guest",), has_audio=True, is_pinned=True)
CAL = ParticipantView("s3", "2024-05-01T10:00:00Z", "", has_screen_share=True)

# A filter, and for whom of Ann, Bob and Cal it holds.
PARTICIPANT_CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "abc"),
    ({"userId": "ann"}, "a"),
    ({"userId": "Ann"}, ""),
    ({"userId": {"$eq": "bob"}}, "b"),
    ({"userId": {"$neq": "bob"}}, "ac"),
    ({"userId": {"$in": ["ann", "bob", "zoe"]}}, "ab"),
    ({"userId": {"$in": []}}, ""),
    ({"name": "Bob"}, "b"),
    ({"name": ""}, "c"),
    ({"name": {"$neq": ""}}, "ab"),
    ({"name": {"$in": ["Ann", ""]}}, "ac"),
    ({"name": {"$gt": "Ann"}}, "b"),
    ({"name": {"$gte": "Ann"}}, "ab"),
    ({"name": {"$lt": "Bob"}}, "ac"),
    ({"name": {"$lte": "Bob"}}, "abc"),
    ({"isSpeaking": True}, "a"),
    ({"isSpeaking": False}, "bc"),
    ({"isSpeaking": {"$eq": False}}, "bc"),
    ({"isSpeaking": {"$neq": False}}, "a"),
    ({"isDominantSpeaker": True}, "a"),
    ({"isDominantSpeaker": {"$neq": True}}, "bc"),
    ({"isPinned": True}, "b"),
    ({"isPinned": {"$in": [True, False]}}, "abc"),
    ({"isPinned": {"$in": [False]}}, "ac"),
    ({"hasVideo": True}, "a"),
    ({"hasVideo": {"$eq": True}}, "a"),
    ({"hasAudio": True}, "ab"),
    ({"hasAudio": False}, "c"),
    ({"hasScreenShare": True}, "c"),
    ({"roles": {"$contains": "admin"}}, "a"),
    ({"roles": {"$contains": "guest"}}, "b"),
    ({"roles": {"$contains": "adm"}}, ""),
    ({"$not": {"roles": {"$contains": "guest"}}}, "ac"),
    ({"hasAudio": True, "hasVideo": True}, "a"),
    ({"hasAudio": True, "isPinned": True, "name": "Bob"}, "b"),
    ({"hasAudio": True, "name": "Cal"}, ""),
    ({"$and": []}, "abc"),
    ({"$or": []}, ""),
    ({"$not": {}}, ""),
    ({"$and": [{"hasAudio": True}, {"isPinned": True}]}, "b"),
    ({"$and": [{}]}, "abc"),
    ({"$or": [{"hasVideo": True}, {"hasScreenShare": True}]}, "ac"),
    ({"$or": [{"hasVideo": True}]}, "a"),
    ({"$not": {"hasAudio": True}}, "c"),
    ({"$not": {"$not": {"hasAudio": True}}}, "ab"),
    ({"$not": {"$or": [{"hasVideo": True}, {"hasScreenShare": True}]}}, "b"),
    ({"$not": {"$and": [{"hasAudio": True}, {"hasVideo": True}]}}, "bc"),
    ({"$or": [{"$not": {"roles": {"$contains": "guest"}}}, {"isPinned": True}]}, "abc"),
    ({"$or": [{"$and": [{"hasAudio": True}, {"hasVideo": True}]}, {"name": ""}]}, "ac"),
    ({"$and": [{"$or": [{"name": "Ann"}, {"name": "Bob"}]}, {"$not": {"isPinned": True}}]}, "a"),
    ({"$and": [{"name": {"$gte": "B"}}, {"name": {"$lt": "C"}}]}, "b"),
    ({"$and": [{"$or": [{"name": "Ann"}]}, {"hasScreenShare": True}]}, ""),
    ({"$and": [{"$not": {"name": "Bob"}}, {"name": {"$neq": "Ann"}}]}, "c"),
    ({"$or": [{"name": "Ann"}, {"$and": [{"name": "Bob"}, {"isPinned": True}]}]}, "ab"),
    # Dates are compared as moments, and have no order with what is none.
    ({"userId": {"$gt": "2024-05-01T11:30:00+02:00"}}, "c"),
    ({"userId": {"$lte": "2024-05-01T10:00Z"}}, "c"),
    ({"userId": {"$lt": "2024-05-01T10:00:00.000"}}, ""),
    ({"userId": {"$gte": "2024-02-31T10:00:00Z"}}, "ab"),
    ({"userId": {"$eq": "2024-05-01T10:00:00Z"}}, "c"),
    ({"userId": {"$eq": "2024-05-01T12:00:00+02:00"}}, ""),
]

# A filter on a call of three participants, one of them pinned.
CALL_CASES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"participant_count": 3}, True),
    ({"participant_count": 3.0}, True),
    ({"participant_count": {"$eq": 2}}, False),
    ({"participant_count": {"$neq": 2}}, True),
    ({"participant_count": {"$in": [1, 2]}}, False),
    ({"participant_count": {"$in": [1, 3]}}, True),
    ({"participant_count": {"$gt": 3}}, False),
    ({"participant_count": {"$gt": 2}}, True),
    ({"participant_count": {"$gte": 3}}, True),
    ({"participant_count": {"$lt": 3}}, False),
    ({"participant_count": {"$lte": 3}}, True),
    ({"pinned_participant_count": {"$gte": 1}}, True),
    ({"pinned_participant_count": 0}, False),
    ({"participant_count": {"$gt": 2}, "pinned_participant_count": 0}, False),
    ({"$and": [{"participant_count": {"$gte": 2}}, {"participant_count": {"$lte": 5}}]}, True),
    ({"$or": [{"participant_count": 1}, {"pinned_participant_count": 1}]}, True),
    ({"$not": {"participant_count": {"$lt": 3}}}, True),
]


def test_there_are_cases_enough() -> None:
    assert len(PARTICIPANT_CASES) >= 60


@pytest.mark.parametrize(("value", "expected"), PARTICIPANT_CASES, ids=str)
def test_a_filter_holds_for_those_it_describes(value: dict[str, Any], expected: str) -> None:
    found = parse_filter(value, "filter")
    assert "".join(letter for letter, who in zip("abc", (ANN, BOB, CAL), strict=True) if found.matches(who)) == expected


@pytest.mark.parametrize(("value", "expected"), CALL_CASES, ids=str)
def test_a_condition_of_an_action_holds_for_the_counts_of_a_call(value: dict[str, Any], expected: bool) -> None:
    assert parse_filter(value, "condition", COUNTS).matches(Counts(3, 1)) is expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "filter: must be a filter object, not None"),
        ([], "filter: must be a filter object, not []"),
        (
            {"user_id": "ann"},
            'filter["user_id"]: is not a field of this filter. Did you mean "userId"? Allowed are userId',
        ),
        ({"$nor": []}, 'filter["$nor"]: is not a field of this filter. Did you mean "$or"?'),
        ({1: True}, "filter[1]: is not a field of this filter. Allowed are userId"),
        ({"isPinned": "yes"}, 'filter["isPinned"]: must be true or false, not "yes"'),
        ({"isPinned": 1}, 'filter["isPinned"]: must be true or false, not 1'),
        ({"name": None}, 'filter["name"]: must be a string, not None'),
        ({"name": ["Ann"]}, "filter[\"name\"]: must be a string, not ['Ann']"),
        ({"roles": "admin"}, 'filter["roles"]: is a list: ask {"$contains": "admin"}'),
        ({"roles": {"$contains": 7}}, 'filter["roles"]["$contains"]: must be a string, not 7'),
        ({"roles": {"$eq": "admin"}}, 'filter["roles"]["$eq"]: is not for roles; allowed are $contains'),
        ({"name": {"$contains": "A"}}, 'filter["name"]["$contains"]: is not for name; allowed are $eq, $neq, $in, $gt'),
        ({"isPinned": {"$gt": True}}, 'filter["isPinned"]["$gt"]: is not for isPinned; allowed are $eq, $neq, $in'),
        ({"name": {"$regex": "A"}}, 'filter["name"]["$regex"]: is not an operator of name.'),
        ({"name": {"$equal": "A"}}, 'Did you mean "$eq"?'),
        ({"name": {}}, 'filter["name"]: needs an operator: one of $eq'),
        ({"name": {"$in": "Ann"}}, 'filter["name"]["$in"]: must be a list, not "Ann"'),
        ({"name": {"$in": ["Ann", 2]}}, 'filter["name"]["$in"][1]: must be a string, not 2'),
        ({"$and": {"name": "Ann"}}, "filter[\"$and\"]: must be a list of filters, not {'name': 'Ann'}"),
        ({"$or": [{"name": "Ann"}, 3]}, 'filter["$or"][1]: must be a filter object, not 3'),
        ({"$not": [{"name": "Ann"}]}, 'filter["$not"]: must be a filter object, not'),
        (
            {"$or": [{"name": "Ann"}], "isPinned": True},
            "filter: has $or and more beside it: put all of it into the list",
        ),
        ({"name": "Bob", "$not": {"name": "Bob"}}, "filter: has $not and more beside it"),
        ({"$or": [], "$and": []}, "filter: has $and and more beside it"),
        (
            {"name": {"$gte": "A", "$lt": "B"}},
            'filter["name"]: has 2 operators and may have one: '
            'write {"$and": [{"name": {"$gte": …}}, {"name": {"$lt": …}}]}',
        ),
        ({"name": {"$eq": "Ann", "$neq": 3}}, 'filter["name"]["$neq"]: must be a string, not 3'),
    ],
    ids=str,
)
def test_what_is_no_filter_is_refused_where_it_is_wrong(value: Any, said: str) -> None:
    with pytest.raises(LayoutError) as refused:
        parse_filter(value, "filter")
    assert said in str(refused.value)


@pytest.mark.parametrize("value", ["3", True, None])
def test_counts_are_numbers(value: Any) -> None:
    with pytest.raises(LayoutError, match=r'condition\["participant_count"\]: must be a number'):
        parse_filter({"participant_count": value}, "condition", COUNTS)


def test_filters_are_bounded_in_depth_and_number() -> None:
    deep: dict[str, Any] = {"name": "Ann"}
    for _ in range(DEEPEST):
        deep = {"$not": deep}
    assert parse_filter(deep, "filter").matches(ANN)
    with pytest.raises(LayoutError, match=f"lies deeper than {DEEPEST}"):
        parse_filter({"$not": deep}, "filter")
    for many in ({"$or": [{}] * MOST}, {"name": {"$in": ["Ann"] * MOST}}):
        with pytest.raises(LayoutError, match=f"a filter may have {MOST}"):
            parse_filter(many, "filter")
