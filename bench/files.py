"""The same work by ffmpeg, from files: decode four, scale, stack, mix, encode with the attendant's settings."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.clips import SECONDS
from egress.media.bitrates import bitrate_cap
from egress.protocol.recordings import CompositeRecording


@dataclass(frozen=True, slots=True)
class FileRun:
    """``media_seconds`` were made in ``cpu_seconds``, and take ``bytes``."""

    media_seconds: float
    cpu_seconds: float
    bytes: int

    @property
    def cores(self) -> float:
        """Cores that it would take at the speed of life."""
        return self.cpu_seconds / self.media_seconds


def compose(clips: list[Path], spec: CompositeRecording, out: Path, turns: int = 2) -> FileRun:
    """Run ffmpeg over ``turns`` turns of four clips. Blocks. Raises RuntimeError with what it said."""
    assert len(clips) == 4
    width, height = spec.quality.size
    cap = spec.video.max_bitrate or bitrate_cap(width, height, spec.video.fps)
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    command += ["-filter_threads", "1", "-filter_complex_threads", "1"]
    for clip in clips:
        command += ["-stream_loop", str(turns - 1), "-threads", "1", "-i", str(clip)]
    scaled = "".join(f"[{n}:v]scale={width // 2}:{height // 2}:flags=bilinear[s{n}];" for n in range(4))
    stacked = "[s0][s1][s2][s3]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0[v];"
    heard = "".join(f"[{n}:a]" for n in range(4))
    mixed = f"{heard}amix=inputs=4:normalize=0,aformat=sample_fmts=fltp:channel_layouts=stereo[a]"
    command += ["-filter_complex", scaled + stacked + mixed, "-map", "[v]", "-map", "[a]"]
    command += ["-r", str(spec.video.fps), "-c:v", "libx264", "-profile:v", "high", "-pix_fmt", "yuv420p"]
    command += ["-preset", spec.video.preset, "-crf", str(spec.video.crf), "-maxrate", str(cap)]
    command += ["-bufsize", str(2 * cap), "-threads", str(spec.video.threads)]
    command += ["-g", str(round(spec.video.keyframe_interval * spec.video.fps))]
    command += ["-c:a", "aac", "-b:a", str(spec.audio.bitrate), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"ffmpeg failed: {said.decode(errors='replace')[-1000:]}")
    return FileRun(float(turns * SECONDS), usage.ru_utime + usage.ru_stime, out.stat().st_size)
