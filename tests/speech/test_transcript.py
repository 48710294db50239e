"""The transcript file: as documented, ordered, and there whatever dies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from egress.speech import transcript
from egress.speech.contract import Line, Word
from egress.speech.transcript import TranscriptWriter

NOON = 1_709_108_298.061031
HELLO = Line(NOON, NOON + 4.34, "Sacha_Arbonel", "hello", language="en")
LATER = Line(NOON + 9, NOON + 12, "Tommaso_Barbugli", "I'm good", language="it")


def test_the_lines_are_as_documented(tmp_path: Path):
    writer = TranscriptWriter(tmp_path / "t.jsonl")
    writer.add(HELLO)
    [told] = [json.loads(line) for line in writer.close().read_text().splitlines()]
    assert told == {
        "type": "speech",
        "start_time": "2024-02-28T08:18:18.061031Z",
        "stop_time": "2024-02-28T08:18:22.401031Z",
        "speaker_id": "Sacha_Arbonel",
        "text": "hello",
    }
    assert list(told) == ["type", "start_time", "stop_time", "speaker_id", "text"]


def test_languages_and_words_are_told_when_asked_for(tmp_path: Path):
    writer = TranscriptWriter(tmp_path / "t.jsonl", language=True, words=True)
    line = Line(NOON, NOON + 1, "a", "hé là", language="fr", words=(Word("hé", NOON, NOON + 0.4, 0.98765),))
    writer.add(line)
    told = json.loads(writer.close().read_text())
    assert told["language"] == "fr"
    assert told["text"] == "hé là"
    assert told["words"] == [
        {
            "text": "hé",
            "start_time": "2024-02-28T08:18:18.061031Z",
            "stop_time": "2024-02-28T08:18:18.461031Z",
            "probability": 0.988,
        }
    ]
    [again] = transcript.read(writer.path)
    assert again.words[0].text == "hé"
    assert abs(again.start - NOON) < 1e-5


def test_lines_are_there_at_once_and_in_order_at_the_end(tmp_path: Path):
    writer = TranscriptWriter(tmp_path / "t.jsonl")
    writer.add(LATER)
    assert [line.text for line in transcript.read(writer.path)] == ["I'm good"]
    writer.add(HELLO)
    assert [line.text for line in transcript.read(writer.path)] == ["I'm good", "hello"]
    writer.close()
    writer.close()
    assert [line.text for line in transcript.read(writer.path)] == ["hello", "I'm good"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


def test_who_goes_on_cuts_off_what_a_death_tore(tmp_path: Path):
    path = tmp_path / "t.jsonl"
    writer = TranscriptWriter(path)
    writer.add(LATER)
    writer.close()
    with path.open("ab") as file:
        file.write(b'{"type":"speech","start_ti')
    assert [line.text for line in transcript.read(path)] == ["I'm good"]
    another = TranscriptWriter(path)
    assert another.lines == 1
    another.add(HELLO)
    another.close()
    assert [line.text for line in transcript.read(path)] == ["hello", "I'm good"]


def test_a_writer_that_is_killed_loses_nothing_that_it_added(tmp_path: Path):
    code = (
        "import os, sys, pathlib\n"
        "from egress.speech.contract import Line\n"
        "from egress.speech.transcript import TranscriptWriter\n"
        "writer = TranscriptWriter(pathlib.Path(sys.argv[1]))\n"
        "for n in range(100): writer.add(Line(1000.0 - n, 1001.0 - n, 'a', f'line {n}'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "t.jsonl"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert transcript.order(path) == 100
    starts = [line.start for line in transcript.read(path)]
    assert starts == sorted(starts)
