"""What is said about a failed message: a row, a description, everything."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from messenger.application import Application
from messenger.cli.terminal import say
from messenger.envelope import AnyEnvelope
from messenger.failure.store import failed_at, message_type
from messenger.messages import dotted_name
from messenger.printable import LONGEST_LINE
from messenger.stamps import ErrorDetailsStamp, LocalStamp, MessageIdsStamp, SentToFailureTransportStamp
from messenger.wire.encoded import UndecodableMessage
from messenger.wire.stamps import PREFIX

_TRACE_KEYS = ("trace_as_string", "traceAsString")


def summary(envelope: AnyEnvelope) -> dict[str, Any]:
    """The columns of the list."""
    origin = envelope.last(SentToFailureTransportStamp)
    moment = failed_at(envelope)
    return {
        "id": envelope.id,
        "type": message_type(envelope),
        "from": origin.original_receiver_name if origin is not None else "-",
        "failed_at": _local(moment) if moment is not None else "-",
        "error": _error_text(envelope),
    }


def description(application: Application, envelope: AnyEnvelope, verbosity: int = 0) -> dict[str, Any]:
    """The summary, ids and body; verbosity 1: also class, error, headers, stamps; 2: also the stored trace."""
    document = summary(envelope) | _ids(envelope)
    encoded = application.serializer.encode(envelope)
    if verbosity:
        document["class"] = _class(envelope)
        document["error_details"] = _error(envelope, with_trace=verbosity > 1)
        document["headers"] = {name: text for name, text in encoded.headers.items() if not name.startswith(PREFIX)}
        document["stamps"] = [_stamp(stamp) for stamp in envelope.stamps if not isinstance(stamp, LocalStamp)]
    return document | {"body": encoded.body}


def print_description(document: Mapping[str, Any], *, err: bool = False) -> None:
    """A description for people: a line for each text, a block for each list; the trace keeps its lines."""
    for key, value in document.items():
        if isinstance(value, dict | list):
            say(f"{key}:", err=err)
            for line in _lines(value):
                say(f"  {line}", err=err)
        else:
            say(f"{key:<14} {'-' if value is None else value}", err=err, limit=None if key == "body" else LONGEST_LINE)


def _lines(value: dict[str, Any] | list[Any]) -> list[str]:
    if isinstance(value, list):
        return [f"{item['stamp']} {_json(item['values'])}" for item in value]
    lines: list[str] = []
    for key, text in value.items():
        if isinstance(text, dict):
            lines += [f"{key}:", *(f"  {line}" for line in _lines(text))]
        elif key == "trace" and text:
            lines += ["trace:", *(f"  {line}" for line in text.splitlines())]
        else:
            lines.append(f"{key}: {'-' if text is None else text}")
    return lines


def _class(envelope: AnyEnvelope) -> str | None:
    """The Python class; None when it could not be decoded."""
    return None if isinstance(envelope.message, UndecodableMessage) else dotted_name(type(envelope.message))


def _ids(envelope: AnyEnvelope) -> dict[str, str | None]:
    """Which message it is and what caused it; None when it came without ids."""
    ids = envelope.last(MessageIdsStamp)
    return {
        "message_id": ids.message_id if ids is not None else None,
        "correlation_id": ids.correlation_id if ids is not None else None,
        "causation_id": ids.causation_id if ids is not None else None,
    }


def _error_text(envelope: AnyEnvelope) -> str:
    error = envelope.last(ErrorDetailsStamp)
    if error is not None:
        return f"{error.exception_class}: {error.exception_message}"
    return envelope.message.reason if isinstance(envelope.message, UndecodableMessage) else "-"


def _error(envelope: AnyEnvelope, *, with_trace: bool) -> dict[str, Any]:
    """The stored error. PHP also stores where it was raised, its trace and what it was caused by."""
    stamp = envelope.last(ErrorDetailsStamp)
    if stamp is None:
        return {}
    document: dict[str, Any] = {
        "class": stamp.exception_class,
        "code": stamp.exception_code,
        "message": stamp.exception_message,
    }
    return document | _flattened(stamp.flatten_exception) if with_trace else document


def _flattened(error: Any) -> dict[str, Any]:
    """Of PHP's FlattenException the parts that help; it is foreign data, so nothing in it is taken for granted."""
    if not isinstance(error, dict):
        return {"trace": None}
    document: dict[str, Any] = {"file": error.get("file"), "line": error.get("line")}
    document["trace"] = next((str(error[key]) for key in _TRACE_KEYS if error.get(key)), None)
    previous = error.get("previous")
    if isinstance(previous, dict):
        cause = {"class": previous.get("class"), "message": previous.get("message")}
        document["previous"] = cause | _flattened(previous)
    return document


def _stamp(stamp: Any) -> dict[str, Any]:
    values = msgspec.to_builtins(stamp)
    values.pop("flattenException", None)  # shown as the error
    return {"stamp": type(stamp).__name__, "values": values}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _local(moment: datetime) -> str:
    with suppress(OverflowError):  # at the edge of the calendar, where a foreign clock may be: unchanged
        moment = moment.astimezone()
    return moment.isoformat(sep=" ", timespec="seconds")
