"""Names on a picture: clean, in initials, and with a colour of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layouts.names import LONGEST_NAME, avatar_color, clean, graphemes, initials, shown_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Anna Müller", "AM"),
        ("anna", "A"),
        ("Jean-Baptiste de la Rochefoucauld", "JR"),
        ("王小明", "王"),
        ("محمد علي", "مع"),
        ("अमित कुमार", "अकु"),
        ("Зоя Иванова", "ЗИ"),
        ("👨‍👩‍👧 Family", "👨‍👩‍👧F"),
        ("(guest) 7", "G7"),
        ("é́lan", "É́"),
        ("!!!", "!"),
        ("", "?"),
        (" \t\n", "?"),
    ],
)
def test_initials_are_the_first_graphemes_of_the_first_and_last_word(name: str, expected: str) -> None:
    assert initials(name) == expected


def test_a_name_is_shown_on_one_line_without_control_characters() -> None:
    assert clean("  Anna\n\tM\x00üller\x1b \ud800 ") == "Anna Müller"
    assert len(clean("x" * 10_000)) == LONGEST_NAME


def test_who_has_no_name_goes_by_their_id() -> None:
    assert shown_name("\n", "user-7") == "user-7"
    assert shown_name("Eva", "user-7") == "Eva"


def test_a_family_emoji_is_one_grapheme() -> None:
    assert graphemes("a👨‍👩‍👧e\u0301") == ["a", "👨‍👩‍👧", "e\u0301"]


def test_a_user_keeps_their_colour_and_users_differ() -> None:
    assert avatar_color("anna") == avatar_color("anna")
    assert avatar_color("anna").alpha == 255
    assert len({avatar_color(f"user-{number}") for number in range(100)}) == 12


@given(st.text())
def test_any_text_has_initials_and_a_clean_form(text: str) -> None:
    assert initials(text)
    assert clean(clean(text)) == clean(text)
    clean(text).encode("utf-8")
