"""Names in messenger.yaml that must be the name of something else there."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator, Mapping

from messenger.config.mistakes import Mistakes
from messenger.config.model import MessengerConfig, TransportConfig


def check_references(config: MessengerConfig, mistakes: Mistakes) -> None:
    """Check that every name in the configuration refers to something.

    Raises:
        ConfigError: The first one that does not; the error lists the known names.
    """
    for where, name, what, known in _references(config):
        if isinstance(name, str) and name not in known:
            allowed = ", ".join(known) or "none"
            raise mistakes.error(where, f"found {mistakes.found(name)}, which is no {what}; allowed: {allowed}")
    _check_outboxes(config, mistakes)
    _check_failure_transports(config, mistakes)
    for index, name in enumerate(config.stop_worker_on_signals):
        _check_signal(f"stop_worker_on_signals[{index}]", name, mistakes)
    if len(config.buses) > 1 and config.default_bus is None:
        raise mistakes.error("default_bus", f"missing; allowed: {', '.join(config.buses)}")


def _references(config: MessengerConfig) -> Iterator[tuple[str, object, str, Collection[str]]]:
    """Key, the name that stands there, what it must be, and the names of those that are there."""
    yield "failure_transport", config.failure_transport, "transport", config.transports
    for name, transport in config.transports.items():
        yield f"transports.{name}.failure_transport", transport.failure_transport, "transport", config.transports
        yield f"transports.{name}.outbox", transport.outbox, "transport", config.transports
        yield f"transports.{name}.rate_limiter", transport.rate_limiter, "rate limiter", config.rate_limiters
    for key, names in config.routing.items():
        for name in names:
            yield f"routing.{key}", name, "transport", config.transports
    if config.buses:
        yield "default_bus", config.default_bus, "bus", config.buses


def _check_failure_transports(config: MessengerConfig, mistakes: Mistakes) -> None:
    """A failure transport must keep what it is given."""
    named = {"failure_transport": config.failure_transport} | {
        f"transports.{name}.failure_transport": transport.failure_transport
        for name, transport in config.transports.items()
    }
    for where, name in named.items():
        if isinstance(name, str) and config.transports[name].dsn.startswith("sync:"):
            users = [other for other in config.transports if other != name]
            own = where.removeprefix("transports.").removesuffix(".failure_transport")
            failed = own if own in config.transports else ", ".join(users) or "others"
            raise mistakes.error(
                where,
                f"found {mistakes.found(name)}, which is sync:// and would handle the failed messages of {failed} at "
                "once, again and again; allowed: a transport that keeps messages, or null to discard them",
            )


def _check_signal(where: str, name: str | int, mistakes: Mistakes) -> None:
    try:
        found = signal.Signals[name] if isinstance(name, str) else signal.Signals(name)
    except (KeyError, ValueError):
        found = None
    if found in (None, signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM, signal.SIGCHLD):
        raise mistakes.error(
            where, f"found {mistakes.found(name)}, which is no signal that can stop a worker; allowed: e.g. SIGUSR1"
        )


def _check_outboxes(config: MessengerConfig, mistakes: Mistakes) -> None:
    for name, transport in config.transports.items():
        why = _why_no_outbox(name, transport.outbox, config.transports) if transport.outbox is not None else None
        if why is not None:
            fit = [other for other in config.transports if _why_no_outbox(name, other, config.transports) is None]
            allowed = ", ".join(fit) or "none"
            found = mistakes.found(transport.outbox)
            raise mistakes.error(
                f"transports.{name}.outbox", f"found {found}, which cannot be its outbox: {why}; allowed: {allowed}"
            )


def _why_no_outbox(name: str, outbox: str, transports: Mapping[str, TransportConfig]) -> str | None:
    """Why one transport cannot be the outbox of another; None when it can."""
    if transports[name].dsn.startswith("sync:"):
        return f"{name!r} is sync:// and handles messages at once"
    if outbox == name:
        return "it is the transport itself"
    if not transports[outbox].dsn.startswith("doctrine:"):
        return "it is no SQL transport"
    if transports[outbox].outbox is not None:
        return "it has an outbox itself"
    return None
