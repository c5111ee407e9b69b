"""All streams' profiles: switched by a request, by SIGUSR1 or by the configuration."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import EegscribeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.config import Profile
    from runtime.profiling.report import ProfileReport
    from runtime.stream_service import StreamService

LOOK_S = 0.2
"""How often ``at_start`` looks whether a stream decodes."""


class ProfileStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that began: it ends after ``seconds`` at the latest, in files in ``directory``."""

    stream: str
    seconds: float
    directory: str


class ProfileSwitch:
    """Switches the profiles of ``streams``; on the event loop's thread."""

    def __init__(self, settings: Profile, streams: Sequence[StreamService]) -> None:
        self._settings = settings
        self._streams = streams
        self._toggling: asyncio.Task[None] | None = None

    async def start(
        self, streams: Sequence[StreamService], seconds: float | None = None
    ) -> list[ProfileStarted]:
        """Profile ``streams``, all or none.

        Raises:
            UsageError: one is being profiled already.
            EegscribeError: nothing can be written where profiles go.
        """
        for stream in streams:
            stream.profiler.check_is_off()
        for stream in streams:
            await stream.profiler.start(seconds)
        return [
            ProfileStarted(
                stream=stream.settings.name,
                seconds=self._settings.seconds if seconds is None else seconds,
                directory=str(self._settings.directory),
            )
            for stream in streams
        ]

    async def stop(self, streams: Sequence[StreamService]) -> list[ProfileReport]:
        """End the profiles of ``streams``, and return what they found.

        Raises:
            UsageError: none of them is being profiled.
            EegscribeError: one could not be written.
        """
        running = [stream for stream in streams if stream.profiler.is_on]
        if not running:
            names = ", ".join(repr(stream.settings.name) for stream in streams)
            raise UsageError(f"profile: none runs for {names}, wanted a start first")
        return list(await asyncio.gather(*(stream.profiler.stop() for stream in running)))

    def toggle(self) -> None:
        """Stop what runs; profile every stream where nothing does."""
        if self._toggling is None or self._toggling.done():
            self._toggling = asyncio.get_running_loop().create_task(self._toggle())

    async def _toggle(self) -> None:
        with suppress(EegscribeError):  # told in an event of the stream, and logged
            if any(stream.profiler.is_on for stream in self._streams):
                await self.stop(self._streams)
            else:
                await self.start(self._streams)

    async def profile_first_decodes(self) -> None:
        """Profile each stream once, from its first decode on, where the configuration says so."""
        waiting = list(self._streams) if self._settings.at_start else []
        while waiting:
            await asyncio.sleep(LOOK_S)
            decoding = [stream for stream in waiting if stream.live.n_decodes]
            waiting = [stream for stream in waiting if stream not in decoding]
            for stream in decoding:
                with suppress(EegscribeError):  # as above; or somebody else started it
                    await stream.profiler.start()
