"""The messages of this application."""

from dataclasses import dataclass

from messenger import message


@message(name="App\\Message\\SmsNotification")
@dataclass(frozen=True, slots=True)
class SmsNotification:
    """A text for somebody's phone. A PHP application knows it as App\\Message\\SmsNotification."""

    content: str
    to: str | None = None
