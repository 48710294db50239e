"""The steps of an upload: bytes from the spool to the store, and each into the ledger before the next depends on it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from storage.checksum import crc32
from storage.target import FileGone, Part, StorageError, Stored, Target, Upload, UploadGone
from workers.ledger import files, uploads
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import File
from workers.observing import metrics
from workers.uploads.courier import Courier
from workers.uploads.plan import BeginAnew, Complete, Move, Put, PutWhole, Rescue, Step, Vanished
from workers.uploads.progress import Progress, Sent
from workers.uploads.threads import in_thread

log = logging.getLogger(__name__)

T = TypeVar("T")


class Sending:
    """Does steps for one store. Every method raises StorageError for the store, and OSError for the spool."""

    def __init__(self, target: Target, ledger: AsyncLedger, host: str, behind: float) -> None:
        self._target = target
        self._ledger = ledger
        self._host = host
        self._behind = behind

    async def do(self, courier: Courier, step: Step) -> bool:
        """Do one step; True when there is nothing more to do for the file here."""
        match step:
            case Put():
                return await self._put(courier, step)
            case PutWhole():
                return await self._put_whole(courier, step.size)
            case Complete():
                return await self._complete(courier, step.count)
            case Move():
                return await self._move(courier)
            case Vanished():
                return await self._vanished(courier)
            case Rescue():
                return await self._rescue(courier)
            case BeginAnew():
                return await self._begin_anew(courier, larger=True)

    async def abort(self, token: str) -> None:
        """Give up an upload; what the store keeps of it costs money."""

        def abort() -> None:
            self._target.resume_upload(token).abort()

        try:
            await self._call(abort)
        except StorageError as error:
            log.warning("an upload is not cleared away: %s", error)

    async def _put(self, courier: Courier, put: Put) -> bool:
        upload = courier.upload or await self._open(courier)
        progress = courier.progress
        if upload is None or progress is None:
            return True
        before = progress.parts.get(put.number)
        closed, until = courier.closed, courier.until(put.number, put.offset + put.size)

        def send() -> Part | None:
            data = _read(courier.path, put.offset, put.size)
            if put.compare and before is not None and before.part.checksum == crc32(data):
                return None
            return upload.put_part(put.number, data)

        try:
            part = await self._call(send)
        except UploadGone:
            if courier.upload is upload:
                await self._begin_anew(courier)
            raise
        if closed:
            courier.checked.add(put.number)
        if part is None:
            return False
        courier.sent(asyncio.get_running_loop().time())
        progress.parts[put.number] = Sent(part, until)
        return not await self._record(courier)

    async def _open(self, courier: Courier) -> Upload | None:
        """Begin the upload, or go on with the one that is noted; None when the file is somebody else's by now."""
        if courier.progress is not None:
            token = courier.progress.token
            courier.upload = await self._call(lambda: self._target.resume_upload(token))
            return courier.upload
        upload = await self._call(lambda: self._target.open_upload(courier.key, courier.part_size))
        courier.progress = Progress(upload.token, courier.part_size)
        if not await self._record(courier):
            await self.abort(upload.token)
            return None
        courier.upload = upload
        return upload

    async def _put_whole(self, courier: Courier, size: int) -> bool:
        stored = await self._call(lambda: self._target.put(courier.key, _read(courier.path, 0, size)))
        return await self._delivered(courier, stored, left=True)

    async def _complete(self, courier: Courier, count: int) -> bool:
        if courier.upload is None and await self._open(courier) is None:
            return True
        upload, progress = courier.upload, courier.progress
        assert upload is not None and progress is not None
        parts = [progress.parts[number].part for number in range(1, count + 1)]
        progress.completing = True
        if not await self._record(courier):
            return True
        try:
            stored = await self._call(lambda: upload.complete(parts))
        except UploadGone:
            await self._begin_anew(courier)
            raise
        return await self._delivered(courier, stored, left=True)

    async def _begin_anew(self, courier: Courier, *, larger: bool = False) -> bool:
        old = courier.begin_anew(larger=larger)
        if old is not None:
            await self.abort(old.token)
        return not await self._record(courier)

    async def _move(self, courier: Courier) -> bool:
        try:
            stored = await self._call(lambda: self._target.deliver(courier.path, courier.key))
        except FileGone as error:
            return await self._lost(courier, str(error))
        return await self._delivered(courier, stored, left=False)

    async def _delivered(self, courier: Courier, stored: Stored, *, left: bool) -> bool:
        now = datetime.now(UTC)
        done = await self._ledger.write(
            lambda tx: uploads.delivered(tx, courier.file_id, self._host, stored.url, stored.size, now, left=left)
        )
        if not done:
            log.warning("%s of %s is delivered by another worker", courier.key, courier.egress_id)
            return True
        log.info("delivered %s of %s", courier.key, courier.egress_id)
        metrics.UPLOADED_BYTES.labels(self._target.name).inc(stored.size)
        await clear_away(self._ledger, courier.file_id, self._host, courier.path)
        return True

    async def _vanished(self, courier: Courier) -> bool:
        """The spool file of a closed file is gone: what was sent is better than nothing."""
        if await asyncio.to_thread(courier.path.exists):
            return False
        gone = f"{courier.path.name} vanished from the spool before it was delivered"
        if courier.progress is None or not courier.progress.usable():
            return await self._lost(courier, gone)
        log.error("%s: what was sent of it is kept", gone)
        return await self._rescue(courier)

    async def _lost(self, courier: Courier, error: str) -> bool:
        log.error("%s of %s is lost: %s", courier.key, courier.egress_id, error)
        now = datetime.now(UTC)
        await self._ledger.write(lambda tx: files.dropped(tx, tx.get_one(File, courier.file_id), error, now))
        return True

    async def _rescue(self, courier: Courier) -> bool:
        """Make a file of the parts that were sent, up to the first gap."""
        progress = courier.progress
        usable = progress.usable() if progress is not None else []
        if progress is None or not usable:
            if progress is not None:
                await self.abort(progress.token)
            return await self._write_off(courier, "its worker is gone, and nothing of it was sent before")
        asked_before, progress.completing = progress.completing, True
        if not await self._record(courier):
            return True
        parts = [sent.part for sent in usable]
        upload = await self._call(lambda: self._target.resume_upload(progress.token))
        try:
            stored = await self._call(lambda: upload.complete(parts))
        except UploadGone as error:
            if not asked_before:
                return await self._write_off(courier, f"its worker is gone, and so is what it had sent: {error}")
            stored = await self._call(lambda: upload.stored(parts))
        end = datetime.fromtimestamp(usable[-1].until - self._behind, UTC)
        now = datetime.now(UTC)
        await self._ledger.write(
            lambda tx: uploads.completed_elsewhere(tx, courier.file_id, self._host, stored.url, stored.size, end, now)
        )
        log.warning("completed %s of %s up to the %d bytes that were sent", courier.key, courier.egress_id, stored.size)
        return True

    async def _write_off(self, courier: Courier, error: str) -> bool:
        log.error("%s of %s is lost: %s", courier.key, courier.egress_id, error)
        now = datetime.now(UTC)
        await self._ledger.write(lambda tx: uploads.written_off(tx, courier.file_id, self._host, error, now))
        return True

    async def _record(self, courier: Courier) -> bool:
        """Write down how far it is; False when the file is not ours any more."""
        async with courier.recording:
            said = courier.progress.as_json() if courier.progress is not None else None
            return await self._ledger.write(lambda tx: uploads.record(tx, courier.file_id, self._host, said))

    async def _call(self, function: Callable[[], T]) -> T:
        return await in_thread(function, f"store-{self._target.name}")


async def clear_away(ledger: AsyncLedger, file_id: int, host: str, path: Path) -> None:
    """Remove the spool file of what is delivered, and its folder when that is empty and its egress over."""
    with contextlib.suppress(FileNotFoundError):
        await asyncio.to_thread(path.unlink)
    if await ledger.write(lambda tx: uploads.seen_to(tx, file_id, host)):
        with contextlib.suppress(OSError):  # something is left in it: then it stays
            await asyncio.to_thread(path.parent.rmdir)


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise StorageError(f"{path} has become shorter while it was sent", of_file=True)
    return data
