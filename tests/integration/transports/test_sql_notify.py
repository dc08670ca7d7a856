"""PostgreSQL tells waiting workers: LISTEN/NOTIFY wakes, the usual statement takes."""

from __future__ import annotations

import select
from concurrent.futures import ThreadPoolExecutor

import pytest

from messenger.errors import TransportUnavailable
from messenger.stamps import DelayStamp
from messenger.transports.base import Depth, Transport, WaitCondition, WakingTransport
from tests.integration.transports.processes import receiver_process
from tests.integration.transports.stores import LONG, Store, never, number_envelope, order_number, take
from tests.integration.transports.test_sql import run_sql, with_queue
from tests.integration.transports.test_sql_doctrine import Peer
from tests.support.servers import POSTGRES_PASSWORD, PostgresServer, wait_until


def begin(transport: Transport, seconds: float = 60.0) -> WaitCondition:
    assert isinstance(transport, WakingTransport)
    return transport.begin_wait(seconds)


def end(transport: Transport) -> None:
    """End the wait; this transport hands nothing out meanwhile."""
    assert isinstance(transport, WakingTransport)
    assert transport.end_wait() == []


def is_told(waiting: WaitCondition, seconds: float = LONG) -> bool:
    told = select.poll()
    told.register(waiting.fds[0], select.POLLIN)
    return bool(told.poll(seconds * 1000))


def ready_to_wait(store: Store) -> Transport:
    """A transport with its table."""
    transport = store.open()
    transport.setup()
    return transport


def test_a_message_wakes_and_is_taken_once(postgresql: Store) -> None:
    receiver, other, sender = ready_to_wait(postgresql), postgresql.open(), postgresql.open()
    waits = begin(receiver), begin(other)
    sender.send(number_envelope(1))
    assert all([is_told(waiting) for waiting in waits])
    end(receiver)
    end(other)
    taken = [*receiver.get(0, never, 5), *other.get(0, never, 5)]
    assert [order_number(envelope) for envelope in taken] == [1]


def test_a_message_wakes_another_process(postgresql: Store) -> None:
    sender = ready_to_wait(postgresql)
    with receiver_process(postgresql, "elsewhere", 2) as process:
        sender.send(number_envelope(1))
        wait_until(lambda: sender.depth().in_flight == 1, LONG, "the other process took nothing")
        sender.send(number_envelope(2))
        assert process.communicate(timeout=LONG)[0] == "[1, 2]\n"


def test_what_came_before_the_wait_is_not_waited_for(postgresql: Store) -> None:
    receiver = ready_to_wait(postgresql)
    begin(receiver)
    end(receiver)
    postgresql.open().send(number_envelope(1))
    waiting = begin(receiver)
    assert waiting.seconds < 1 or is_told(waiting, 0)
    end(receiver)
    assert order_number(take(receiver)) == 1


def test_nothing_tells_while_nothing_comes(postgresql: Store) -> None:
    receiver = ready_to_wait(postgresql)
    receiver.send(number_envelope(1))
    held = take(receiver)
    waiting = begin(receiver, 7)
    other = postgresql.open()
    other.keepalive(held)
    other.ack(held)
    assert not is_told(waiting, 0.3), "to work on a message and to remove it is no news"
    assert waiting.seconds == 7
    end(receiver)


def test_the_trigger_is_asked_for_until_it_is_seen(postgresql: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "sqlalchemy.engine"):
        receiver = ready_to_wait(postgresql)
        run_sql(postgresql, "DROP TRIGGER notify_trigger ON messenger_messages")
        caplog.clear()
        for _ in range(3):
            assert begin(receiver).seconds < 1
            end(receiver)
        assert caplog.text.count("FROM pg_trigger") == 3
        receiver.setup()
        caplog.clear()
        for _ in range(3):
            assert begin(receiver).seconds == 60
            end(receiver)
    assert caplog.text.count("FROM pg_trigger") == 1


def test_a_delayed_message_says_when(postgresql: Store) -> None:
    receiver = ready_to_wait(postgresql)
    receiver.send(number_envelope(1).with_stamps(DelayStamp(5_000)))
    waiting = begin(receiver)
    assert 0 < waiting.seconds <= 5
    end(receiver)


def test_a_message_put_back_wakes(postgresql: Store) -> None:
    receiver, other = ready_to_wait(postgresql), postgresql.open()
    other.send(number_envelope(1))
    held = take(other)
    waiting = begin(receiver)
    other.requeue(held, held.with_stamps(DelayStamp(3_000)))
    assert is_told(waiting)
    end(receiver)
    assert 0 < begin(receiver).seconds <= 3
    end(receiver)
    assert order_number(take(receiver)) == 1


def test_a_lease_that_runs_out_says_when(postgresql: Store) -> None:
    receiver = postgresql.open(lease=4)
    receiver.send(number_envelope(1))
    take(receiver)
    waiting = begin(receiver)
    assert 0 < waiting.seconds < 4
    end(receiver)


def test_another_queue_of_the_table_only_wakes(postgresql: Store) -> None:
    receiver, failed = ready_to_wait(postgresql), with_queue(postgresql, "failed")
    waiting = begin(receiver)
    failed.send(number_envelope(1))
    assert is_told(waiting)
    end(receiver)
    assert receiver.get(0, never) == []
    assert failed.depth().ready == 1


def test_messages_sent_in_a_burst_to_several_waiting_are_all_taken_once(postgresql: Store) -> None:
    ready_to_wait(postgresql)
    receivers = [postgresql.open() for _ in range(3)]
    sender = postgresql.open()
    numbers: list[int] = []

    def receive(transport: Transport) -> None:
        while len(numbers) < 60:
            for envelope in transport.get(LONG, lambda: len(numbers) >= 60, 2):
                numbers.append(order_number(envelope))
                transport.ack(envelope)

    with ThreadPoolExecutor(len(receivers)) as pool:
        work = [pool.submit(receive, transport) for transport in receivers]
        for number in range(60):
            sender.send(number_envelope(number))
        for done in work:
            done.result()
    assert sorted(numbers) == list(range(60))
    assert sender.depth() == Depth(0, 0, 0)


def test_without_use_notify_it_is_asked_again_and_again(postgresql: Store) -> None:
    postgresql.dsn += "&use_notify=false"
    receiver = ready_to_wait(postgresql)
    assert not isinstance(receiver, WakingTransport)
    postgresql.open().send(number_envelope(1))
    assert order_number(take(receiver)) == 1


def test_a_table_without_the_trigger_is_asked_again_and_again(
    postgresql: Store, postgres_server: PostgresServer
) -> None:
    receiver = ready_to_wait(postgresql)
    postgres_server.execute("DROP TRIGGER notify_trigger ON messenger_messages")
    assert begin(receiver).seconds <= 0.2
    end(receiver)
    receiver.setup()
    assert begin(receiver, 7).seconds == 7
    end(receiver)


def test_a_broken_listener_wakes_and_listens_again(postgresql: Store, postgres_server: PostgresServer) -> None:
    receiver = ready_to_wait(postgresql)
    waiting = begin(receiver)
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'messenger'"
    )
    assert is_told(waiting), "a listener that hears nothing any more must not be waited for"
    end(receiver)
    waiting = begin(receiver)
    postgresql.open().send(number_envelope(1))
    assert is_told(waiting)
    end(receiver)
    assert order_number(take(receiver)) == 1


def test_a_server_that_is_away_is_said_and_waited_for_again(postgresql: Store, postgres_server: PostgresServer) -> None:
    receiver = ready_to_wait(postgresql)
    waiting = begin(receiver)
    postgres_server.stop()
    assert is_told(waiting)
    end(receiver)
    with pytest.raises(TransportUnavailable, match="PostgreSQL at 127") as caught:
        begin(receiver)
    assert POSTGRES_PASSWORD not in str(caught.value)
    postgres_server.start()
    waiting = begin(receiver)
    postgresql.open().send(number_envelope(1))
    assert is_told(waiting)
    end(receiver)
    assert order_number(take(receiver)) == 1


def test_close_ends_the_listening(postgresql: Store, postgres_server: PostgresServer) -> None:
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'messenger'"
    receiver = ready_to_wait(postgresql)
    begin(receiver)
    end(receiver)
    receiver.close()
    wait_until(lambda: postgres_server.execute(count) == [(0,)], LONG, "a connection was left")


def test_php_wakes_workers_here_by_its_own_trigger(postgresql: Store, postgres_server: PostgresServer) -> None:
    place = {"host": "127.0.0.1", "port": postgres_server.port, "dbname": "messenger"}
    php = Peer({"driver": "pdo_pgsql", "user": "messenger", "password": POSTGRES_PASSWORD, **place})
    php("setup")
    receiver = ready_to_wait(postgresql)
    waiting = begin(receiver)
    php.send(1)
    assert is_told(waiting)
    end(receiver)
    assert order_number(take(receiver)) == 1
