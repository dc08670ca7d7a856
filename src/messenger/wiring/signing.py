"""Which messages are signed: what handlers, @message and messenger.yaml say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from messenger.config.features import SigningConfig
from messenger.errors import ConfigError
from messenger.handling.annotations import definition_error, is_protocol
from messenger.handling.registry import ANY_MESSAGE, Handler
from messenger.messages import dotted_name
from messenger.wire.signing import Signing

_MIN_CHARACTERS = 16


def make_signing(config: SigningConfig | None, handlers: Iterable[Handler], classes: Sequence[type]) -> Signing:
    """Create the Signing of an application.

    Args:
        config: The section `signing`.
        handlers: The handlers of the application.
        classes: Its message classes.

    Raises:
        ConfigError: A class is signed and there is no key, or a key is too short.
        HandlerDefinitionError: A handler with `sign` takes a protocol.
    """
    keys = _keys(config) if config is not None else ()
    algorithm, bind_type = (config.algorithm, config.bind_type) if config is not None else ("sha256", False)
    types = tuple(handled for handler in handlers if handler.options.sign for handled in _signed_by(handler))
    signing = Signing(types, keys, algorithm, bind_type=bind_type)
    signed = [dotted_name(cls) for cls in classes if signing.requires(cls)]
    if signed and not keys:
        raise ConfigError(
            f"signing: missing, and {', '.join(signed)} is sent signed (sign=True of its handler or @message); "
            "write signing: {key: '%env(MESSENGER_SIGNING_KEY)%'}"
        )
    return signing


def _keys(config: SigningConfig) -> tuple[bytes, ...]:
    given = {"key": config.key} | ({"previous_key": config.previous_key} if config.previous_key else {})
    for name, value in given.items():
        if len(value) < _MIN_CHARACTERS:  # the text itself is never shown
            raise ConfigError(f"signing.{name}: found {len(value)} characters; allowed: {_MIN_CHARACTERS} or more")
    return tuple(value.encode() for value in given.values())


def _signed_by(handler: Handler) -> list[type]:
    """The classes of which a handler wants every message signed."""
    found: list[type] = []
    for handled in handler.options.handles:
        if is_protocol(handled):
            raise definition_error(
                handler.call,
                f"sign=True cannot go with {handled.__name__}, a protocol: only a message that was read shows whether "
                "it fits, and it is verified before; name message classes",
            )
        if isinstance(handled, type):
            found.append(handled)
        elif handled == ANY_MESSAGE:
            found.append(object)
    return found
