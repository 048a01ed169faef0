import os
import subprocess
import sys
import unicodedata
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.helpers import clean_environment

from batch_infer.paths import escape_path, show_path

DANGEROUS = {
    b"plain/name-1.png": "plain/name-1.png",
    "grüße/七.png".encode(): "grüße/七.png",
    b'with "quotes", commas; and spaces': 'with "quotes", commas; and spaces',
    b"new\nline": "new%0Aline",
    b"carriage\rreturn": "carriage%0Dreturn",
    b"tab\there": "tab%09here",
    b"=cmd|calc": "%3Dcmd|calc",
    b"+1": "%2B1",
    b"-1": "%2D1",
    b"@sum": "%40sum",
    b"a=b+c-d@e": "a=b+c-d@e",
    b"\x1b[31mred": "%1B[31mred",
    b"\x7f": "%7F",
    b"not\xffutf8": "not%FFutf8",
    b"\xed\xa0\x80": "%ED%A0%80",
    "c1\x85control".encode(): "c1%C2%85control",
    "bidi\u202egnp.exe".encode(): "bidi%E2%80%AEgnp.exe",
    "isolate\u2066x".encode(): "isolate%E2%81%A6x",
    "mark\u200fx".encode(): "mark%E2%80%8Fx",
    "line\u2028separator".encode(): "line%E2%80%A8separator",
    "\ufeffbom".encode(): "%EF%BB%BFbom",
    b"%41": "%2541",
    b"%%41": "%%2541",
    b"%4": "%4",
    b"100%": "100%",
    b"100% sure": "100% sure",
    b"%\x01": "%%01",
    b"": "",
}


@pytest.mark.parametrize(("name", "expected"), DANGEROUS.items())
def test_dangerous_bytes_of_a_name_are_escaped_and_nothing_else(name, expected):
    assert escape_path(os.fsdecode(name)) == expected


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(), st.text().map(os.fsencode), st.text("%=+-@0123456789abcF\n\x01é\udcff").map(os.fsencode)))
@example(b"%25%2541%\xff%")
def test_unquoting_gives_the_bytes_of_the_name_back(name):
    assert unquote_to_bytes(escape_path(os.fsdecode(name))) == name


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(), st.text().map(os.fsencode)))
def test_escaped_text_is_utf_8_of_one_line_that_begins_no_formula(name):
    escaped = escape_path(os.fsdecode(name))
    escaped.encode("utf-8")
    # No control, format (bidi marks are), or lone surrogate characters; no line or paragraph separators.
    assert not {unicodedata.category(character) for character in escaped} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(escaped.splitlines()) <= 1
    assert not escaped.startswith(("=", "+", "-", "@"))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=20), st.binary(max_size=20))
def test_two_names_never_look_the_same(one, other):
    assert (escape_path(os.fsdecode(one)) == escape_path(os.fsdecode(other))) == (one == other)


def test_the_locale_makes_no_difference():
    code = "import os, sys; from batch_infer.paths import escape_path; os.write(1, escape_path(sys.argv[1]).encode())"
    name = "grüße\n".encode() + b"\xff"
    seen = {
        subprocess.run(
            [sys.executable, "-X", f"utf8={mode}", "-c", code, name],
            env=clean_environment(LC_ALL="C", PYTHONCOERCECLOCALE="0"),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for mode in (0, 1)
    }
    assert seen == {"grüße%0A%FF".encode()}


@pytest.mark.parametrize(("name", "shown"), [("-", "-"), ("@x\n", "@x%0A"), ("a-%41", "a-%2541"), ("", "")])
def test_in_a_message_a_leading_sign_stays(name, shown):
    assert show_path(name) == shown
