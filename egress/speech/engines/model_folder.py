"""Whether a Whisper model is here and whole, before anything tries to load it or reaches for the network."""

from __future__ import annotations

import json
import re
from pathlib import Path

from egress.speech.contract import SpeechError

NEEDED = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json")
"""Files of a model folder; beside them one that begins with ``vocabulary.``."""
LEAST_BYTES = 100_000
"""Of a model.bin: less is a pointer of Git LFS, or a download that broke off."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,120}")


def is_folder(model: str) -> bool:
    """Whether ``model`` means a local folder and not a name."""
    return model.startswith(("/", "./", "../", "~")) or Path(model).is_dir()


def checked_folder(model: str) -> Path:
    """The folder, which has all that is needed. Raises SpeechError (``model_missing``, ``model_broken``)."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise SpeechError(
            "model_missing",
            f"the speech model folder {folder} does not exist; "
            "put a converted (CTranslate2) Whisper model there, or name another in speech.model",
        )
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any(folder.glob("vocabulary.*")):
        missing.append("vocabulary.json")
    if missing:
        raise SpeechError(
            "model_missing",
            f"the speech model folder {folder} lacks {', '.join(missing)}; copy the whole folder of the model",
        )
    size = (folder / "model.bin").stat().st_size
    if size < LEAST_BYTES:
        raise SpeechError(
            "model_broken",
            f"model.bin in {folder} has only {size} bytes; it was not copied whole, copy or download it again",
        )
    for name in NEEDED[1:]:
        try:
            json.loads((folder / name).read_text())
        except (OSError, ValueError) as error:
            raise SpeechError(
                "model_broken", f"{name} in {folder} cannot be read ({error}); copy or download it again"
            ) from error
    return folder


def checked_name(model: str) -> str:
    """A model's name. Raises SpeechError (``model_missing``) where it cannot be one."""
    if not NAME.fullmatch(model) or ".." in model:
        raise SpeechError("model_missing", f"speech.model {model[:80]!r} is neither a folder nor a model's name")
    return model
