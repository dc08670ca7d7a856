"""Keys of messenger.yaml for what not every application uses: rate limits, signing; and Symfony's serializer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

SERIALIZER = "messenger.transport.symfony_serializer"


class RateLimiterConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How often messages may be handled, by all workers together."""

    limit: Annotated[int, Meta(ge=0, description="Messages in each `interval`; needed unless `service` is set.")] = 0
    interval: Annotated[float, Meta(ge=0.001, le=31_622_400, description="Seconds.")] = 1.0
    burst: Annotated[
        int,
        Meta(
            ge=1,
            description="How many may be handled at once after a time without any. 1: evenly spread, and never more "
            "than `limit` in any interval.",
        ),
    ] = 1
    key: Annotated[
        str | None,
        Meta(
            description="A field of the message, e.g. `to`: each of its values has a limit of its own. Not set: one "
            "limit for all."
        ),
    ] = None
    service: Annotated[
        str | None,
        Meta(
            description="A class of your own by its dotted name, a [`RateLimiter`](rate-limits.md#your-own), instead "
            "of `limit`, `interval` and `burst`."
        ),
    ] = None


class SymfonySerializerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How messages are written."""

    format: Annotated[Literal["json"], Meta(description="Symfony's key; JSON is the one choice.")] = "json"
    context: Annotated[dict[str, Any], Meta(description="Symfony's key; it says nothing here.")] = field(
        default_factory=dict
    )


class SerializerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Symfony's choice of a serializer. PHP's serialize() is never read here, so there is one choice."""

    default_serializer: Annotated[
        Literal["messenger.transport.symfony_serializer"],
        Meta(description="Symfony's key; PHP's `serialize()` is never read here, so there is one choice."),
    ] = "messenger.transport.symfony_serializer"
    symfony_serializer: Annotated[
        SymfonySerializerConfig, Meta(description="Symfony's settings for this serializer.")
    ] = SymfonySerializerConfig()


class SigningConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The key of messages that are sent signed. No error and no command shows it."""

    key: Annotated[
        str,
        Meta(
            description="Signs what is sent, and verifies what is received: 16 characters or more, the same for every "
            "program that sends or handles signed messages.",
            examples=["%env(MESSENGER_SIGNING_KEY)%"],
        ),
    ]
    previous_key: Annotated[
        str | None,
        Meta(description="Verifies as well, and never signs: the old key while a new one is rolled out. Empty: none."),
    ] = None
    algorithm: Annotated[
        Literal["sha256", "sha384", "sha512"], Meta(description="The hash of the HMAC; Symfony's default is the same.")
    ] = "sha256"
    bind_type: Annotated[
        bool,
        Meta(
            description="Refuse a signature that is not bound to the message's type as well. Symfony's is not, so "
            "`true` is for messages that PHP neither sends nor retries."
        ),
    ] = False

    def __repr__(self) -> str:
        return "SigningConfig(…)"
