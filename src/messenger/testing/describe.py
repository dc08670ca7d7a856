"""Descriptions of messages in failed assertions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from reprlib import Repr

from messenger.envelope import AnyEnvelope
from messenger.stamps import DelayStamp, ErrorDetailsStamp, RedeliveryStamp, SentToFailureTransportStamp
from messenger.wire.encoded import UndecodableMessage

_SHOWN = 50
_short = Repr()
_short.maxstring = _short.maxother = 200
_short.maxlist = _short.maxtuple = _short.maxdict = 20


def field_names(cls: type) -> tuple[str, ...]:
    """Return the fields of a message class: dataclass, attrs class, msgspec Struct or pydantic model."""
    if dataclasses.is_dataclass(cls):
        return tuple(item.name for item in dataclasses.fields(cls))
    for attribute in ("__struct_fields__", "model_fields"):
        if hasattr(cls, attribute):
            return tuple(getattr(cls, attribute))
    return tuple(item.name for item in getattr(cls, "__attrs_attrs__", ()))


def wanted(cls: type, fields: Mapping[str, object], filtered: bool) -> str:
    """Describe what an assertion looks for, e.g. ``SmsNotification(content='hello')``."""
    shown = f"({_pairs(fields)})" if fields else ""
    return f"{cls.__name__}{shown}{' where the given function is true' if filtered else ''}"


def listing(what: str, envelopes: Sequence[AnyEnvelope]) -> str:
    """Return one line for each message, numbered, oldest first."""
    if not envelopes:
        return f"{what}: no messages at all"
    lines = [f"{what}, oldest first ({len(envelopes)}):"]
    lines += [f"  {number}. {describe(envelope)}" for number, envelope in enumerate(envelopes[:_SHOWN], 1)]
    if len(envelopes) > _SHOWN:
        lines.append(f"  and {len(envelopes) - _SHOWN} more")
    return "\n".join(lines)


def describe(envelope: AnyEnvelope) -> str:
    """Describe a message: its fields, and its delay, retries and errors."""
    message = envelope.message
    if isinstance(message, UndecodableMessage):
        text = f"a message that cannot be read ({message.reason})"
    else:
        fields = {name: getattr(message, name, None) for name in field_names(type(message))}
        text = f"{type(message).__name__}({_pairs(fields)})"
    notes = _notes(envelope)
    return f"{text}  [{', '.join(notes)}]" if notes else text


def _pairs(fields: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_short.repr(value)}" for name, value in fields.items())


def _notes(envelope: AnyEnvelope) -> list[str]:
    notes = []
    delay, retry = envelope.last(DelayStamp), envelope.last(RedeliveryStamp)
    origin, error = envelope.last(SentToFailureTransportStamp), envelope.last(ErrorDetailsStamp)
    if delay is not None and delay.delay > 0:
        notes.append(f"delay {delay.delay} ms")
    if retry is not None and retry.retry_count:
        notes.append(f"retry {retry.retry_count}")
    if origin is not None:
        notes.append(f"failed in {origin.original_receiver_name}")
    if error is not None:
        name = error.exception_class.rsplit(".", 1)[-1]
        notes.append(f"{name}: {' '.join(error.exception_message.split())[:200]}")
    return notes
