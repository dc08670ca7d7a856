"""Signed bodies: an HMAC over the exact bytes, checked before they are parsed (Symfony 7.4's headers)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from messenger.errors import MessageDecodingFailed, MessageEncodingFailed
from messenger.messages import dotted_name, message_options

SIGNATURE_HEADER = "Body-Sign"
ALGORITHM_HEADER = "Sign-Algo"
# Symfony's signature is of the body alone, so a signed body could be moved under another type; this one is of both.
# Symfony does not know the header and ignores it.
TYPE_SIGNATURE_HEADER = "X-Messenger-Type-Sign"
HEADERS = (SIGNATURE_HEADER, ALGORITHM_HEADER, TYPE_SIGNATURE_HEADER)


class Signing:
    """The message classes that are signed, and the keys."""

    def __init__(
        self,
        types: tuple[type, ...] = (),
        keys: tuple[bytes, ...] = (),
        algorithm: str = "sha256",
        *,
        bind_type: bool = False,
    ) -> None:
        """Create it.

        Args:
            types: These classes and their subclasses are signed, and those that `@message(sign=True)` marks.
            keys: The first one signs, every one is accepted.
            algorithm: A name that both hashlib and PHP's hash_hmac() know.
            bind_type: Refuse a signature that is not bound to the message's type; Symfony's is not.
        """
        self._types = types
        self._keys = keys
        self._algorithm = algorithm
        self._bind_type = bind_type
        self._required: dict[type, bool] = {}

    def requires(self, cls: type) -> bool:
        """Return True when messages of this class are signed; so are subclasses, which the base's handler takes."""
        known = self._required.get(cls)
        if known is None:
            marked = any(message_options(parent).sign for parent in cls.__mro__)
            known = self._required[cls] = marked or issubclass(cls, self._types)
        return known

    def sign(self, cls: type, name: str, body: str) -> dict[str, str]:
        """Return the signature headers for a body; none when the class is not signed.

        Args:
            cls: The message class.
            name: Its wire name.
            body: The body.

        Raises:
            MessageEncodingFailed: The class is signed and there is no key.
        """
        if not self.requires(cls):
            return {}
        if not self._keys:
            raise MessageEncodingFailed(
                f"{dotted_name(cls)} is sent signed only, and messenger.yaml has no signing.key"
            )
        signature = self._hmac(self._keys[0], _bytes(body))
        return {
            SIGNATURE_HEADER: signature,
            ALGORITHM_HEADER: self._algorithm,
            TYPE_SIGNATURE_HEADER: self._hmac(self._keys[0], _bound(name, signature)),
        }

    def verify(self, cls: type, name: str, body: str, headers: Mapping[str, str]) -> None:
        """Raise MessageDecodingFailed, before anything reads the body, unless it may be read as this class."""
        if not self.requires(cls):
            return
        given = headers.get(SIGNATURE_HEADER)
        if not given:
            raise MessageDecodingFailed(
                f"{name} must be signed, and this message has no header {SIGNATURE_HEADER}; who sends it needs the "
                "signing key"
            )
        algorithm = headers.get(ALGORITHM_HEADER, self._algorithm)
        if algorithm != self._algorithm:
            raise MessageDecodingFailed(f"{name} is signed with {algorithm[:40]!r}; allowed: {self._algorithm}")
        signers = [key for key in self._keys if _same(self._hmac(key, _bytes(body)), given)]
        if not signers:
            raise MessageDecodingFailed(
                f"the signature of {name} does not fit: its body was changed, or it was signed with a key that is "
                "neither signing.key nor signing.previous_key"
            )
        self._verify_type(name, given, headers.get(TYPE_SIGNATURE_HEADER), signers[0])

    def strip(self, cls: type, headers: dict[str, str]) -> None:
        """Take a verified signature out: it is made anew, with the first key, when the message is sent again."""
        for name in HEADERS if self.requires(cls) else ():
            headers.pop(name, None)

    def _verify_type(self, name: str, signature: str, given: str | None, key: bytes) -> None:
        if given is None and self._bind_type:
            raise MessageDecodingFailed(
                f"the signature of {name} is not bound to its type (no header {TYPE_SIGNATURE_HEADER}), as signing."
                "bind_type asks; PHP does not write it"
            )
        if given is not None and not _same(self._hmac(key, _bound(name, signature)), given):
            raise MessageDecodingFailed(f"the signature is of a message of another type than {name}")

    def _hmac(self, key: bytes, data: bytes) -> str:
        return hmac.digest(key, data, self._algorithm).hex()


def _bound(name: str, signature: str) -> bytes:
    """What a type's signature is of. It begins as no JSON does, so it can never be taken for a signed body."""
    return _bytes(f"type:{name}\n{signature}")


def _same(ours: str, given: str) -> bool:
    return hmac.compare_digest(_bytes(ours), _bytes(given))  # as bytes: texts that are not ASCII are a TypeError


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
