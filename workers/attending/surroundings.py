"""What every session of a worker shares."""

from __future__ import annotations

from dataclasses import dataclass, field

from egress.rtc.ice_settings import IceSettings
from workers.delivery import Delivery
from workers.ledger.asynchronous import AsyncLedger
from workers.sessions.lookout import Lookout
from workers.settings import Settings
from workers.spares import Spares


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every attended session shares."""

    settings: Settings
    ledger: AsyncLedger
    spares: Spares
    delivery: Delivery
    ice: IceSettings
    lookout: Lookout = field(default_factory=Lookout)
