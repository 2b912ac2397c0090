"""The signal that the process is ending."""

import asyncio


class StopSignal(asyncio.Event):
    """Set once, when the process should end. Streams, loops and pollers wait on it instead of sleeping."""

    async def sleep(self, seconds: float) -> bool:
        """Sleep until the process is ending, at most `seconds`. Returns whether it is ending."""
        try:
            async with asyncio.timeout(seconds):
                return await self.wait()
        except TimeoutError:
            return False
