"""What every session of a worker shares."""

from __future__ import annotations

from dataclasses import dataclass

from egress.rtc.ice_settings import IceSettings
from workers.ledger.asynchronous import AsyncLedger
from workers.sessions.lookout import Lookout
from workers.settings import Settings
from workers.spares import Spares
from workers.speech_engine import SpeechEngine
from workers.uploads.uploader import Uploader


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every attended session shares."""

    settings: Settings
    ledger: AsyncLedger
    spares: Spares
    delivery: Uploader
    ice: IceSettings
    lookout: Lookout
    speech: SpeechEngine
