"""Starts and stops the profiles of one stream; tells of them, and writes them.

To see every thread, or the model's own code, py-spy looks from outside and needs nothing of us:
``py-spy record --pid PID --native --threads --output profile.svg``, or ``py-spy top --pid PID``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import EegscribeError, UsageError
from runtime.profiling.run import ProfileRun

if TYPE_CHECKING:
    import cProfile
    from typing import Protocol

    from runtime.config import Budget, Profile
    from runtime.live import LiveStream
    from runtime.profiling.report import ProfileReport

    class Tell(Protocol):
        """Publishes an event of the stream."""

        def __call__(self, kind: str, sample: int, **figures: float | str | None) -> None:
            """Publish it."""


log = structlog.get_logger()

TOLD = ("p50", "p99")
"""What the event at the end has of each stage; the files have the rest."""


class StreamProfiler:
    """One stream's profiles, one at a time; on the event loop's thread but where it says otherwise.

    Args:
        stream: the stream's name.
        session: the daemon's.
        live: its threads.
        settings: where profiles are written, and how long they last.
        budget: of a decode.
        tell: publishes events.
    """

    def __init__(
        self,
        *,
        stream: str,
        session: str,
        live: LiveStream,
        settings: Profile,
        budget: Budget,
        tell: Tell,
    ) -> None:
        self.run: ProfileRun | None = None
        self._stream = stream
        self._session = session
        self._live = live
        self._settings = settings
        self._budget = budget
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[ProfileReport | EegscribeError] | None = None
        self._has_left = False

    @property
    def is_on(self) -> bool:
        """Whether a profile runs, or is being written."""
        return self._task is not None

    async def start(self, seconds: float | None = None) -> None:
        """Begin a profile of at most ``seconds``, by default those of the configuration.

        Raises:
            UsageError: one runs already.
            EegscribeError: nothing can be written where profiles go.
        """
        self.check_is_off()
        started: asyncio.Future[None] = self._loop.create_future()
        self._task = self._loop.create_task(
            self._profile(self._settings.seconds if seconds is None else seconds, started)
        )
        await started

    async def stop(self) -> ProfileReport:
        """End the profile that runs, and return what it found once that is written.

        Raises:
            UsageError: none runs.
            EegscribeError: it could not be written.
        """
        if self._task is None:
            raise UsageError(f"profile: none runs for {self._stream!r}, wanted a start first")
        if self.run is not None:
            self.run.ask_to_end()
        found = await asyncio.shield(self._task)
        if isinstance(found, EegscribeError):
            raise found
        return found

    def check_is_off(self) -> None:
        """Refuse to begin a second profile.

        Raises:
            UsageError: one runs already.
        """
        if self.is_on:
            left_s = 0.0 if self.run is None else self.run.left_s()
            raise UsageError(
                f"profile: the stream {self._stream!r} is being profiled already, "
                f"for another {left_s:.0f} s; wanted a stop first"
            )

    def leave(self) -> None:
        """End what runs, on the decode thread, which is about to end."""
        self._has_left = True
        if (run := self.run) is not None:
            run.end()

    async def finished(self) -> None:
        """Return once nothing runs and everything is written; the decode thread has ended."""
        if self._task is not None:
            await self._task

    async def _profile(
        self, seconds: float, started: asyncio.Future[None]
    ) -> ProfileReport | EegscribeError:
        """Run one profile from its start until it is written; return what is told of it."""
        try:
            found = await self._run(seconds, started)
        except EegscribeError as error:
            if not started.done():
                started.set_exception(error)
            log.warning("profile_failed", stream=self._stream, error=str(error))
            self._tell("profile_failed", self._live.chain.n_samples, reason=str(error))
            return error
        finally:
            self.run = self._task = None
        log.info("profile", stream=self._stream, files=list(found.files))
        self._tell("profile", self._live.chain.n_samples, over=True, **_figures(found))
        return found

    async def _run(self, seconds: float, started: asyncio.Future[None]) -> ProfileReport:
        tracer = await asyncio.to_thread(_prepare, self._settings)
        ended = asyncio.Event()
        self.run = run = ProfileRun(
            seconds,
            budgets_ms=self._budget.by_stage(),
            tracer=tracer,
            ended=lambda: self._ended(ended),
        )
        self._live.between_steps = run.tick
        if self._has_left:  # nobody ticks any more, and nothing was traced
            run.end()
        self._tell("profile", self._live.chain.n_samples, over=False, seconds=seconds)
        started.set_result(None)
        await ended.wait()
        return await asyncio.to_thread(self._write, run)

    def _ended(self, ended: asyncio.Event) -> None:
        """Cost nothing again; called from the decode thread."""
        self._live.between_steps = None
        self.run = None
        self._loop.call_soon_threadsafe(ended.set)

    def _write(self, run: ProfileRun) -> ProfileReport:
        from runtime.profiling.report import make_report, write_report

        report = make_report(run, stream=self._stream, session=self._session)
        return write_report(report, run.tracer, self._settings.directory)


def _prepare(settings: Profile) -> cProfile.Profile | None:
    """Return the tracer, once it is known that what it finds can be written."""
    from runtime.profiling.report import check_folder, new_tracer

    check_folder(settings.directory)
    return new_tracer()


def _figures(report: ProfileReport) -> dict[str, float | str | None]:
    """Return what the event at the end says; never a path, which is nobody's business there."""
    stages = {
        f"{stage}_{which}_ms": getattr(found, which)
        for stage, found in report.stages.items()
        for which in TOLD
    }
    return {
        "decodes": report.decodes,
        "lasted_s": round(report.lasted_s, 3),
        "tracing_cost_ms": report.cost.p50_ms,
        **stages,
    }
