"""A moment on the command line: --since 2h, --until 2026-11-24T08:00."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class MomentType(click.ParamType[datetime]):
    """How long ago (90s, 15m, 2h, 7d), or a date or time of ISO 8601; without an offset in this machine's zone."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """A moment with its zone."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        ago = _AGO.fullmatch(text)
        try:
            if ago is not None:
                return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo is not None else moment.astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{value!r} is no moment; allowed: how long ago (90s, 15m, 2h, 7d), or a date or time such as "
                "2026-11-24T08:00",
                param,
                ctx,
            )
