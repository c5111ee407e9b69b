"""The daemon: wiring only.

``run_daemon`` reads like what happens: open the bundles, open the journal, bind the sockets,
publish what a crash left unpublished, say READY, run every stream, and on SIGTERM let each one
finish.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog
import zmq

from pipeline.errors import EegscribeError, UsageError
from runtime.engine import Engine, check_fit, open_engine
from runtime.inputs import StreamInputs
from runtime.journal import Journal
from runtime.lsl.log import hush_lsl
from runtime.notify import Notifier
from runtime.profiling.switch import ProfileSwitch
from runtime.store import bundle_path, hold
from runtime.stream_service import StreamService
from runtime.transcript import new_session
from runtime.wire.control import ControlServer
from runtime.wire.curve import Gate
from runtime.wire.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence
    from typing import Any

    from runtime.config import DaemonConfig
    from runtime.journal_store import Entry, Page
    from runtime.journal_store import Session as StoredSession
    from runtime.profiling.report import ProfileReport
    from runtime.profiling.switch import ProfileStarted
    from runtime.wire.messages import Health

HEALTH_S = 1.0
REPUBLISH_AFTER_S = 1.5
SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter from another that has a sample to move."""
LONG_MODEL_S = 0.002

log = structlog.get_logger()


def run_daemon(config: DaemonConfig) -> None:
    """Run until SIGTERM or SIGINT.

    The one place where any exception is caught: told to systemd, and raised as one of ours, which
    the command line prints as the last words on stderr.

    Raises:
        EegscribeError: what ended the daemon.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    hush_lsl()
    notifier = Notifier.from_environment()
    try:
        asyncio.run(Daemon(config, notifier).run())
    except Exception as error:
        ours = _ours(error)
        if ours is None:
            log.critical("crashed", exc_info=error)
            ours = EegscribeError(f"the daemon crashed ({type(error).__name__}): see its log above")
        elif config.log.format == "json":  # a program that reads lines of JSON is told too
            log.error("stopped", error=str(ours), exit_code=ours.exit_code)
        notifier.status(str(ours))
        raise ours from None


def _n_at_once(engines: Iterable[Engine]) -> int:
    """Return how many streams may decode at once.

    Only inside a model two of them run at the same time; where that is little, they are in each
    other's way.
    """
    if any(engine.model_s > LONG_MODEL_S for engine in engines):
        return len(os.sched_getaffinity(0))
    return 1


def _ours(error: BaseException) -> EegscribeError | None:
    """Return the first error of ours in a group, None if anything else is in it."""
    if isinstance(error, EegscribeError):
        return error
    if isinstance(error, BaseExceptionGroup):
        inside = [_ours(one) for one in error.exceptions]
        return None if None in inside else inside[0]
    return None


class Daemon:
    """All of one daemon; also what the control socket asks."""

    def __init__(self, config: DaemonConfig, notifier: Notifier) -> None:
        self._config = config
        self._notifier = notifier
        self._session = new_session()
        self._streams: list[StreamService] = []
        self._profiles = ProfileSwitch(config.profile, self._streams)
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until asked to stop.

        Raises:
            EegscribeError: the first fault that ends the daemon.
        """
        config = self._config
        # First of all: a signal that asks to look must not end a daemon that is about to start.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._profiles.toggle)
        with ExitStack() as stack:
            engines = self._open_engines(stack)
            journal = self._journal = Journal(
                config.journal.path, sync=config.journal.sync, keep_days=config.journal.keep_days
            )
            unpublished = journal.start()
            stack.callback(journal.close)
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            stack.callback(context.term)
            gate = Gate(context)
            stack.callback(gate.close)
            publisher = Publisher(config.publish, context=context, gate=gate)
            stack.callback(publisher.close)
            control = ControlServer(config.control, self, context=context, gate=gate)
            stack.callback(control.close)
            threads = ThreadPoolExecutor(2 * len(config.streams), thread_name_prefix="eegscribe")
            stack.callback(threads.shutdown)
            turns = threading.BoundedSemaphore(_n_at_once(engines.values()))
            for settings in config.streams:
                inputs = StreamInputs(
                    settings,
                    engines[settings.name],
                    config.record,
                    self._session,
                    every_decode=config.publish.every_decode,
                )
                stack.callback(inputs.close)
                service = StreamService(
                    settings,
                    engine=engines[settings.name],
                    source=inputs.source,
                    session=self._session,
                    journal=journal,
                    publisher=publisher,
                    budget=config.budget,
                    profile=config.profile,
                    every_decode=config.publish.every_decode,
                    check_fit=check_fit,
                    on_input=inputs.on_input,
                    on_text=inputs.on_text,
                    turns=turns,
                )
                inputs.tell = service.hear
                self._streams.append(service)
            gc.collect()
            gc.freeze()
            self._watch_signals()
            self._notifier.ready()
            log.info("ready", session=self._session, publish=list(publisher.endpoints))
            await self._run_streams(control, threads, _republish(unpublished, publisher, journal))
            self._notifier.stopping()

    def _open_engines(self, stack: ExitStack) -> dict[str, Engine]:
        """Open each bundle once, however many streams share it; nobody removes it meanwhile."""
        opened: dict[tuple[str, str | None], Engine] = {}
        engines = {}
        for settings in self._config.streams:
            key = (settings.bundle, settings.bundle_sha256)
            if key not in opened:
                path = bundle_path(settings.bundle)
                stack.enter_context(hold(path))
                opened[key] = open_engine(
                    path,
                    pinned_sha256=settings.bundle_sha256,
                    providers=self._config.model.providers,
                    n_threads=self._config.model.threads,
                )
            engines[settings.name] = opened[key]
        return engines

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    async def _run_streams(
        self, control: ControlServer, threads: ThreadPoolExecutor, *more: Coroutine[Any, Any, None]
    ) -> None:
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(control.serve()),
                group.create_task(self._tell_health()),
                group.create_task(self._feed_watchdog()),
                group.create_task(self._profiles.profile_first_decodes()),
                *(group.create_task(one) for one in more),
            ]
            stopper = group.create_task(self._stop_streams())
            async with asyncio.TaskGroup() as streams:
                for stream in self._streams:
                    streams.create_task(stream.run(threads))
            for task in (*helpers, stopper):
                task.cancel()

    async def _stop_streams(self) -> None:
        await self._stop.wait()
        log.info("stopping")
        for stream in self._streams:
            stream.stop()

    async def _tell_health(self) -> None:
        """Publish the health of every stream each second, one after the other.

        All at once would keep the loop from finals that are on disk, by milliseconds a stream.
        """
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            for stream in self._streams:
                due_s = max(due_s + HEALTH_S / len(self._streams), loop.time())
                await asyncio.sleep(due_s - loop.time())
                stream.publish_health()
            self._notifier.status(self._status_line())

    def _status_line(self) -> str:
        """Return what ``systemctl status`` shows: state and reason, never text."""
        parts = []
        for stream in self._streams:
            health = stream.newest_health
            if health is not None:
                reason = f" ({health.reason})" if health.reason else ""
                parts.append(f"{stream.settings.name}: {health.state}{reason}")
        return "; ".join(parts)

    async def _feed_watchdog(self) -> None:
        """Feed systemd's watchdog while the loop and every thread move."""
        period_s = self._config.watchdog.period_s
        if self._notifier.watchdog_s is not None:
            period_s = min(period_s, self._notifier.watchdog_s)
        while True:
            oldest_s = time.monotonic() - min(stream.beat_s() for stream in self._streams)
            if oldest_s < period_s:
                self._notifier.watchdog()
            else:
                log.error("frozen", seconds=round(oldest_s, 1))
            await asyncio.sleep(period_s / 4)

    def _chosen(self, name: str | None) -> Sequence[StreamService]:
        chosen = [s for s in self._streams if name is None or s.settings.name == name]
        if not chosen:
            names = ", ".join(s.settings.name for s in self._streams)
            raise UsageError(f"stream: got {name!r}, wanted one of {names}")
        return chosen

    async def finals(self, *, stream: str | None, session: str | None, start: int) -> Page:
        """Return stored finals of a stream; of this session where none is named."""
        if stream is None or session is None:
            stream = self._chosen(stream)[0].settings.name
        asked = self._journal.page(stream=stream, session=session or self._session, start=start)
        return await asyncio.wrap_future(asked)

    async def sessions(self) -> list[StoredSession]:
        """Return all stored sessions."""
        return await asyncio.wrap_future(self._journal.sessions())

    async def status(self) -> list[Health]:
        """Return the newest health of every stream."""
        return [s.newest_health for s in self._streams if s.newest_health is not None]

    async def pause(self, stream: str | None) -> None:
        """Hear nothing until resumed."""
        for service in self._chosen(stream):
            service.live.inject("pause", "control")

    async def resume(self, stream: str | None) -> None:
        """Hear again."""
        for service in self._chosen(stream):
            service.live.inject("resume", "control")

    async def start_profile(
        self, stream: str | None, *, seconds: float | None
    ) -> list[ProfileStarted]:
        """Look where the time goes, for a while."""
        return await self._profiles.start(self._chosen(stream), seconds)

    async def stop_profile(self, stream: str | None) -> list[ProfileReport]:
        """Look no longer, and say what was found."""
        return await self._profiles.stop(self._chosen(stream))

    async def forget(self, session: str) -> int:
        """Erase a session's finals for ever."""
        return await asyncio.wrap_future(self._journal.forget(session))


async def _republish(entries: Sequence[Entry], publisher: Publisher, journal: Journal) -> None:
    """Send what was journaled before a crash and perhaps never sent, as it was.

    Not at once: those who listened before the crash must find the new socket first.
    """
    await asyncio.sleep(REPUBLISH_AFTER_S)
    for entry in entries:
        publisher.send("text.final", entry.body)
        journal.mark_published(entry)
