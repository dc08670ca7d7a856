"""A dispatch that returns only once replicas have the message too (R21): a failover then does not lose it."""

from __future__ import annotations

from messenger.errors import NotReplicated, TransportError
from messenger.transports.redis.link import RedisLink
from messenger.transports.redis.options import RedisOptions


def wait_for_replicas(name: str, link: RedisLink, options: RedisOptions, message_id: str) -> None:
    """Wait until `wait_replicas` replicas have confirmed what was just written on this link (WAIT).

    name: the transport's. message_id: of what was written.

    Raises NotReplicated when fewer did within `wait_replicas_timeout`, or when that cannot be known any more.
    """
    connected = link.opened
    try:
        count = int(link.call("WAIT", options.wait_replicas, max(1, round(options.wait_replicas_timeout * 1000))))
        if link.opened != connected:  # a new connection has written nothing: all replicas confirm that
            raise TransportError("the connection broke before they could be asked")
        if count >= options.wait_replicas:
            return
        what = f"{count} of {options.wait_replicas} replicas have confirmed it in {options.wait_replicas_timeout:g} s"
    except TransportError as error:
        what = f"whether replicas have it is not known ({error})"
    raise NotReplicated(
        f"transport {name!r}: message {message_id} is stored by {options.address}, and {what} (wait_replicas): it is "
        "handled unless a failover to another replica loses it. Sent again it may be handled twice; not sent again it "
        "may be lost. Look at INFO replication there, and whether it is still the master"
    )
