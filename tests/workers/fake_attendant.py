"""An attendant without calls: speaks egress/protocol over its socket and writes small playable files.

``python -m tests.workers.fake_attendant BEHAVIOUR --socket PATH``; behaviours: records, crashes (after a
second), removed (put out after a second), hangs, fails, silent_room, untold (tells nothing of its files), no_room,
dies_at_once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np

from egress.call.model import REMOVED
from egress.protocol.commands import COMMAND, Ack, Attend, Direct, Hello, Leave, Ping, Start, Stop, Update
from egress.protocol.job import Job
from egress.protocol.reception import ParticipantReception, Reception, Spell, Spells, TrackReception
from egress.protocol.recordings import CompositeRecording
from egress.protocol.reports import (
    Attends,
    Connected,
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    Over,
    PartClosed,
    PartOpened,
    Pong,
    Progress,
    Ready,
    Refused,
)

FPS = 10
REMOVAL = "removed by an administrator"


def now() -> datetime:
    return datetime.now(UTC)


class Recording:
    """Writes an MP4 (H.264 + AAC) in real time, fragment by fragment, and rolls over."""

    def __init__(self, fake: Fake, job: Job, spec: CompositeRecording) -> None:
        self.fake, self.job, self.spec = fake, job, spec
        self.part = spec.first_part
        self.stopped = asyncio.Event()
        self.total = 0.0
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        egress_id = self.spec.egress_id
        if self.fake.behaviour == "fails":
            self.fake.tell(EgressFailed(at=now(), egress_id=egress_id, code="encoder_failed", error="x264 is gone"))
            return
        if self.fake.behaviour == "silent_room":
            await self.stopped.wait()
        first, began = True, now()
        while not self.stopped.is_set():
            await self.one_part(first)
            first = False
            self.part += 1
        if first:
            self.fake.tell(EgressStopped(at=now(), egress_id=egress_id, reason="stopped"))
        self.fake.tell(EgressEnded(at=now(), egress_id=egress_id, reception=self.reception(began)))
        if self.fake.behaviour == "removed":
            self.fake.goodbye = asyncio.create_task(self.fake.say_goodbye(REMOVED, REMOVAL))

    def reception(self, began: datetime) -> Reception:
        """Of a camera that was paused once."""
        paused = Spells(count=1, seconds=0.5, listed=[Spell(start_time=began, end_time=began)])
        camera = TrackReception(type="video", codec="vp8", packets=1000, lost=3, paused=paused)
        guest = ParticipantReception(session_id="p1", user_id="anna[1]", joined_at=began, tracks=[camera])
        return Reception(start_time=began, end_time=now(), participants=[guest])

    async def one_part(self, first: bool) -> None:
        folder = self.job.spool / self.spec.egress_id
        folder.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "300000", "flush_packets": "1"}
        start = now()
        path = folder / f"e{self.job.epoch}-{self.part:05}-{round(start.timestamp() * 1000)}.mp4"
        with av.open(str(path), "w", format="mp4", options=options) as out:
            video: Any = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"})
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            video.gop_size = FPS
            audio: Any = out.add_stream("aac", rate=48000)
            audio.layout = "stereo"
            if self.fake.behaviour != "untold":
                self.fake.tell(
                    PartOpened(at=now(), egress_id=self.spec.egress_id, part=self.part, path=path, start_time=start)
                )
            loop = asyncio.get_running_loop()
            began, n = loop.time(), 0
            while True:
                if n == 0 and first:
                    self.fake.tell(EgressStarted(at=start, egress_id=self.spec.egress_id))
                self.write(out, video, audio, n)
                n += 1
                self.total += 1 / FPS
                if n % 5 == 0:
                    self.fake.tell(
                        Progress(
                            at=now(),
                            egress_id=self.spec.egress_id,
                            recorded=self.total,
                            size=path.stat().st_size,
                            participants=3,
                            pictures=n,
                            pictures_dropped=0,
                        )
                    )
                if self.fake.behaviour == "hangs" and n == FPS // 2:
                    time.sleep(600)  # noqa: ASYNC251 - this is what being stuck is
                if self.fake.behaviour == "removed" and n == FPS:
                    self.stopped.set()
                if self.fake.behaviour == "crashes" and n == FPS:
                    os.kill(os.getpid(), signal.SIGKILL)
                if self.stopped.is_set() or n / FPS >= self.spec.roll_over:
                    break
                await asyncio.sleep(max(0.0, began + n / FPS - loop.time()))
            if self.stopped.is_set():
                reason = REMOVAL if self.fake.behaviour == "removed" else "stopped"
                self.fake.tell(EgressStopped(at=now(), egress_id=self.spec.egress_id, reason=reason))
            out.mux(video.encode(None))
            out.mux(audio.encode(None))
        self.fake.tell(
            PartClosed(
                at=now(),
                egress_id=self.spec.egress_id,
                part=self.part,
                path=path,
                start_time=start,
                end_time=now(),
                size=path.stat().st_size,
                duration=n / FPS,
            )
        )

    def write(self, out: Any, video: Any, audio: Any, n: int) -> None:
        picture = av.VideoFrame.from_ndarray(np.full((96, 64), (n * 8) % 200, np.uint8), format="yuv420p")
        picture.pts = n
        out.mux(video.encode(picture))
        count = 48000 // FPS
        sound = av.AudioFrame.from_ndarray(np.zeros((2, count), np.float32), format="fltp", layout="stereo")
        sound.sample_rate, sound.pts = 48000, n * count
        out.mux(audio.encode(sound))


class Fake:
    def __init__(self, behaviour: str, path: Path) -> None:
        self.behaviour, self.path = behaviour, path
        self.seq = 0
        self.kept: list[Any] = []
        self.writer: asyncio.StreamWriter | None = None
        self.job: Job | None = None
        self.recordings: dict[str, Recording] = {}
        self.over = asyncio.Event()
        self.goodbye: asyncio.Task[None] | None = None

    def tell(self, report: Any) -> None:
        if not isinstance(report, (Ready, Pong, Progress)):
            self.seq += 1
            report = report.model_copy(update={"seq": self.seq})
            self.kept.append(report)
        self.write(report)

    def write(self, report: Any) -> None:
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(report.model_dump_json().encode() + b"\n")

    async def serve(self) -> None:
        server = await asyncio.start_unix_server(self.talk, self.path)
        await self.over.wait()
        server.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        while line := await reader.readline():
            command = COMMAND.validate_json(line)
            await self.obey(command)
        if self.job is None:
            self.over.set()

    async def obey(self, command: Any) -> None:
        if isinstance(command, Attend | Start | Update | Direct):
            with self.path.with_suffix(".heard").open("a") as heard:
                # A test looks for secrets in whatever a run leaves behind.
                heard.write(command.model_dump_json(exclude={"job": {"connector", "ice"}}) + "\n")
        match command:
            case Hello():
                if self.job is None:
                    self.write(Ready(at=now(), pid=os.getpid()))
                else:
                    self.write(Attends(at=now(), session_id=self.job.session_id, epoch=self.job.epoch, pid=os.getpid()))
                for report in self.kept:
                    if report.seq > command.after:
                        self.write(report)
            case Ack():
                self.kept = [r for r in self.kept if r.seq > command.seq]
            case Ping():
                self.write(Pong(at=now()))
            case Attend():
                if self.job is not None:
                    self.tell(Refused(at=now(), op="attend", code="busy", error="a call is attended already"))
                    return
                self.job = command.job
                if self.behaviour == "no_room":
                    goodbye = self.say_goodbye("no_such_room", "the room does not exist")
                    self.goodbye = asyncio.get_running_loop().create_task(goodbye)
                    return
                self.tell(Connected(at=now()))
                for spec in command.job.egresses:
                    self.start(spec)
            case Start():
                self.start(command.egress)
            case Stop():
                if command.egress_id in self.recordings:
                    self.recordings[command.egress_id].stopped.set()
            case Leave():
                asyncio.get_running_loop().create_task(self.leave())

    def start(self, spec: CompositeRecording) -> None:
        assert self.job is not None
        if spec.egress_id in self.recordings:
            self.tell(Refused(at=now(), op="start", code="known", error="it records already", egress_id=spec.egress_id))
            return
        self.recordings[spec.egress_id] = Recording(self, self.job, spec)

    async def leave(self) -> None:
        for recording in self.recordings.values():
            recording.stopped.set()
        await asyncio.gather(*(r.task for r in self.recordings.values()))
        await self.say_goodbye("", "left")

    async def say_goodbye(self, code: str, reason: str) -> None:
        """Like the real one, it goes when its last words are heard."""
        self.tell(Over(at=now(), code=code, reason=reason))
        for _ in range(100):
            if not self.kept:
                break
            await asyncio.sleep(0.02)
        self.over.set()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("behaviour")
    parser.add_argument("--socket", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.behaviour == "dies_at_once":
        sys.exit(3)
    asyncio.run(Fake(arguments.behaviour, arguments.socket).serve())


if __name__ == "__main__":
    main()
