"""PHP's workers and a message that we deduplicate: they pass over the header, and know nothing of the lock."""

from __future__ import annotations

from messenger import DeduplicateStamp, SentStamp
from messenger.envelope import AnyEnvelope
from tests.integration.php.peers import Ours, Php
from tests.integration.php.sms_application import SmsNotification
from tests.support.servers import RedisServer

KEY = "sms to {+41 00}"
LOCK = f"messenger:deduplicate:{KEY}"


def dispatch(ours: Ours, content: str) -> AnyEnvelope:
    application = ours.application()
    envelope = application.dispatch(SmsNotification(content), [DeduplicateStamp(KEY, ttl=100)])
    application.close()
    return envelope


def lock(server: RedisServer) -> bytes | None:
    with server.client() as client:
        found: bytes | None = client.get(LOCK)
        return found


def test_php_handles_it_and_the_lock_ends_by_its_ttl(php: Php, ours: Ours, redis_server: RedisServer) -> None:
    dispatch(ours, "hello")
    assert php.consume().contents() == ["hello"]
    assert ours.waiting() == []
    with redis_server.client() as client:
        assert 0 < client.pttl(LOCK) <= 100_000
    assert dispatch(ours, "again").last(SentStamp) is None


def test_php_s_retry_drops_the_header_and_the_message_is_handled_here(
    php: Php, ours: Ours, redis_server: RedisServer
) -> None:
    dispatch(ours, "try me")
    php.consume(fail=True)
    (envelope,) = ours.waiting()
    assert envelope.last(DeduplicateStamp) is None
    owner = lock(redis_server)
    assert owner is not None
    assert ours.consume().contents() == ["try me"]
    assert lock(redis_server) == owner


def test_our_retry_keeps_it_for_our_workers(php: Php, ours: Ours, redis_server: RedisServer) -> None:
    dispatch(ours, "try me")
    ours.consume(fail=True)
    (envelope,) = ours.waiting()
    stamp = envelope.last(DeduplicateStamp)
    assert stamp is not None
    assert (stamp.key, stamp.ttl) == (KEY, 100.0)
    assert ours.consume().contents() == ["try me"]
    assert lock(redis_server) is None
