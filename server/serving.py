"""The server as a process: its port taken first, its signals, its end."""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from broker_config.errors import ConfigError
from broker_config.heartbeats import Watchdog
from broker_config.own_user import warn_of_root
from broker_config.service_notify import ServiceNotifier
from server.access.links import enter_link
from server.app import create_app
from server.clock import to_datetime
from server.config import ServerConfig
from server.guard import MOST_HEAD_BYTES
from server.slow_clients import patient_protocol
from server.state import ServerState
from server.tls import follow_renewals, open_tls
from server.waiting import clock_is_set, started_with_room

GRACE_S = 3
MAX_WS_BYTES = 128 * 1024


class QuietServer(uvicorn.Server):
    """uvicorn without its signal handlers: those end the process by the signal, and ours with exit code 0.

    Args:
        on_started: called once it answers.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `serve`."""
        yield


async def serve(config: ServerConfig, say: Callable[[str], None], notifier: ServiceNotifier) -> None:
    """Serve until SIGINT or SIGTERM; wait for a clock that is set, and on a full disk for room.

    Args:
        say: is told the address once the server is up.
        notifier: the service manager is told when it answers, that it lives, and when it stops.

    Raises:
        ConfigError: the port is taken, or a file is missing or wrong.
    """
    stopper = _Stopper(notifier)
    await clock_is_set(notifier)
    context = None if config.tls is None else open_tls(config.tls)
    listener = take_port(config.host, config.port)
    app = create_app(config)
    notifier.opening(config.database)

    def waiting_server(waiting: ASGIApp) -> uvicorn.Server:
        return QuietServer(_settings(waiting, config, context), lambda: None)

    with contextlib.closing(listener):
        # The lifespan runs here and not in uvicorn, which would go on serving after a failed background task.
        opening = partial(app.router.lifespan_context, app)
        async with started_with_room(opening, config, listener, waiting_server, notifier):
            state: ServerState = app.state.tacet
            server = QuietServer(_settings(app, config, context), lambda: notifier.ready(f"serving {config.origin}/"))
            stopper.ends(server, state)
            say(f"Tacet serves {config.origin}/ (Ctrl-C ends it)")
            warn_of_root()
            await _invite_owner(state, say)
            beside = [asyncio.create_task(Watchdog(state.heartbeats, notifier).run(), name="watchdog")]
            if config.tls is not None and context is not None:
                beside.append(asyncio.create_task(follow_renewals(context, config.tls), name="certificate"))
            await server.serve(sockets=[listener])
            for task in beside:
                task.cancel()


def take_port(host: str, port: int) -> socket.socket:
    """A socket on the server's own address.

    Raises:
        ConfigError: another program has the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()  # only now is it ours alone; who calls before we are ready waits
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{host}:{port} cannot be used ({error.strerror}); stop the program that has it, or set another port"
        ) from error
    return listener


async def _invite_owner(state: ServerState, say: Callable[[str], None]) -> None:
    """At the very first start, the link by which the owner sets a password; it is nowhere else."""
    if state.access.first_link is not None:
        link = enter_link(state.config, state.access.first_link)
        state.access.first_link = None
        say(f"To sign in, set the owner's password (works once, for 24 hours): {link}")
    elif await state.access.staff.lacks_owner():
        say("Nobody can sign in yet; for a link that sets the owner's password: tacet server setup-link")


def _settings(app: ASGIApp, config: ServerConfig, context: ssl.SSLContext | None) -> uvicorn.Config:
    settings = uvicorn.Config(
        app,
        loop="asyncio",
        http=patient_protocol(),
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        ws="websockets-sansio",
        ws_max_size=MAX_WS_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # MQTT keeps itself alive, the proxy ends the silent, and paho's pongs are unmasked: a protocol error
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.trusted_proxy),
        forwarded_allow_ips=config.trusted_proxy or None,
        timeout_graceful_shutdown=GRACE_S,
    )
    settings.load()
    settings.ssl = context  # uvicorn would make one of its own, which cannot be told of a renewal
    return settings


class _Stopper:
    """What a signal to end does: while the server starts, give up; from then on, end in order."""

    def __init__(self, notifier: ServiceNotifier) -> None:
        self._notifier = notifier
        starting = asyncio.current_task()
        assert starting is not None, "serve is a coroutine"
        self._end: Callable[[], object] = starting.cancel
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)

    def ends(self, server: uvicorn.Server, state: ServerState) -> None:
        """The server is about to answer."""

        def end() -> None:
            server.should_exit = True
            state.feed.close(to_datetime(state.clock_ns()))  # an open page would hold the server up

        self._end = end

    def _stop(self) -> None:
        self._notifier.stopping()
        self._end()
