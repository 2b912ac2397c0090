"""The signal that the process is ending."""

import asyncio


class StopSignal:
    """Set once, when the process should end. Streams, loops and pollers wait on it instead of sleeping."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Tell every waiter that the process is ending. Idempotent."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether the process is ending."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait until the process is ending."""
        await self._event.wait()

    async def sleep(self, seconds: float) -> bool:
        """Sleep until the process is ending, at most `seconds`. Returns whether it is ending."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True
