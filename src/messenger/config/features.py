"""Keys of messenger.yaml for what not every application uses: rate limits, signing; and Symfony's serializer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

SerializerName = Literal["messenger.transport.symfony_serializer"]


class RateLimiterConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How often messages may be handled, by all workers together.

    limit: Messages in each `interval`; needed unless `service` is set.
    interval: Seconds.
    burst: How many may be handled at once after a time without any. 1: evenly spread, and never more than `limit`
    in any interval.
    key: A field of the message, e.g. `to`: each of its values has a limit of its own. Not set: one limit for all.
    service: A class of your own by its dotted name, a [`RateLimiter`](rate-limits.md#your-own), instead of `limit`,
    `interval` and `burst`.
    """

    limit: Annotated[int, Meta(ge=0)] = 0
    interval: Annotated[float, Meta(ge=0.001, le=31_622_400)] = 1.0
    burst: Annotated[int, Meta(ge=1)] = 1
    key: str | None = None
    service: str | None = None

    def __post_init__(self) -> None:
        if self.service is None and self.limit == 0:
            raise ValueError("missing key 'limit', at least 1, or 'service'")
        if self.service is not None and (self.limit, self.interval, self.burst) != (0, 1.0, 1):
            raise ValueError("found other keys beside 'service'; allowed: service, key")


class SymfonySerializerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How messages are written.

    format: Symfony's key; JSON is the one choice.
    context: Symfony's key; it says nothing here.
    """

    format: Literal["json"] = "json"
    context: dict[str, Any] = {}


class SerializerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Symfony's choice of a serializer. PHP's serialize() is never read here, so there is one choice.

    default_serializer: Symfony's key; PHP's `serialize()` is never read here, so there is one choice.
    symfony_serializer: Symfony's settings for this serializer.
    """

    default_serializer: SerializerName = "messenger.transport.symfony_serializer"
    symfony_serializer: SymfonySerializerConfig = SymfonySerializerConfig()


class SigningConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The key of messages that are sent signed. No error and no command shows it.

    key: Signs what is sent, and verifies what is received: 16 characters or more, the same for every program that
    sends or handles signed messages.
    previous_key: Verifies as well, and never signs: the old key while a new one is rolled out. Empty: none.
    algorithm: The hash of the HMAC; Symfony's default is the same.
    bind_type: Refuse a signature that is not bound to the message's type as well. Symfony's is not, so `true` is
    for messages that PHP neither sends nor retries.
    """

    key: str
    previous_key: str | None = None
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    bind_type: bool = False

    def __repr__(self) -> str:
        return "SigningConfig(…)"
