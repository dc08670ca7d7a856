"""Which messages an application signs, and what it refuses at the start."""

from __future__ import annotations

import pytest

from messenger import ConfigError, Envelope, HandlerDefinitionError
from messenger.application import Application
from messenger.config.features import SigningConfig
from tests.support.application_project import Project

KEY = "0123456789abcdef"
SIGNING = "  signing: {key: '%env(KEY)%'}\n"
MODULE = """
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from messenger import handler, message

@dataclass
class Base:
    text: str = ""

@dataclass
class Pay(Base):
    pass

@dataclass
class Refund:
    text: str = ""

@message(name="Quote")
@dataclass
class Quote:
    text: str = ""

@message(sign=True)
@dataclass
class Marked:
    text: str = ""

@runtime_checkable
class HasText(Protocol):
    text: str

"""
HANDLERS = {
    "none": "",
    "base": "@handler(sign=True)\ndef pay(message: Base): ...\n@handler\ndef also(message: Pay): ...",
    "union": "@handler(sign=True)\ndef pay(message: Pay | Refund): ...",
    "one of two": "@handler\ndef first(message: Refund): ...\n@handler(sign=True)\ndef second(message: Refund): ...",
    "all": "@handler(sign=True, handles='*')\ndef audit(message): ...\n@handler\ndef also(message: Pay): ...",
}


def signed(application: Application) -> set[str]:
    """The names of the messages that are sent with a signature."""
    sent = (application.serializer.encode(Envelope(cls())).headers for cls in application.messages.classes)
    return {headers["type"].rpartition(".")[2] for headers in sent if "Body-Sign" in headers}


@pytest.mark.parametrize(
    ("handlers", "expected"),
    [
        ("none", {"Marked"}),
        ("base", {"Base", "Pay", "Marked"}),
        ("union", {"Pay", "Refund", "Marked"}),
        ("one of two", {"Refund", "Marked"}),
        ("all", {"Pay", "Quote", "Marked"}),
    ],
)
def test_a_message_is_signed_when_one_handler_or_its_class_says_so(
    project: Project, handlers: str, expected: set[str]
) -> None:
    application = project.load(SIGNING, module=MODULE + HANDLERS[handlers], KEY=KEY)
    assert signed(application) == expected


def test_a_signed_message_without_a_key_is_an_error_of_the_file(project: Project) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(module=MODULE + HANDLERS["union"])
    line = str(caught.value)
    assert line.startswith(f"{project.directory}/messenger.yaml: signing: missing, and ")
    for name in ("Pay", "Refund", "Marked"):
        assert f"{project.module}.{name}" in line
    assert "Quote" not in line
    assert line.endswith("write signing: {key: '%env(MESSENGER_SIGNING_KEY)%'}")


def test_without_signed_messages_no_key_is_needed_and_one_is_harmless(project: Project) -> None:
    module = MODULE.replace("@message(sign=True)", "@message()")
    assert signed(project.load(module=module)) == set()
    project.forget()
    assert signed(project.load(SIGNING, module=module, KEY=KEY)) == set()


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("  signing: {key: '%env(SHORT)%'}\n", "signing.key: found 15 characters; allowed: 16 or more"),
        ("  signing: {key: '%env(KEY)%', previous_key: '%env(SHORT)%'}\n", "signing.previous_key: found 15 characters"),
        ("  signing: {key: '%env(KEY)%', previous_key: ['%env(SHORT)%']}\n", "signing.previous_key: found a value of"),
        ("  signing: '%env(KEY)%'\n", "signing: found a value of another kind"),
        ("  signing: {key: '%env(KEY)%', algorithm: crc32}\n", "found 'crc32'; allowed: sha256, sha384, sha512"),
    ],
)
def test_no_error_shows_a_key(project: Project, yaml: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(yaml, module=MODULE, KEY=KEY, SHORT="fifteen letters")
    assert said in str(caught.value)
    assert KEY not in str(caught.value)
    assert "fifteen" not in str(caught.value)


def test_an_empty_previous_key_is_none(project: Project) -> None:
    yaml = "  signing: {key: '%env(KEY)%', previous_key: '%env(OLD)%'}\n"
    project.load(yaml, module=MODULE, KEY=KEY, OLD="")


def test_the_configuration_s_text_hides_the_keys(project: Project) -> None:
    application = project.load(SIGNING, module=MODULE, KEY=KEY)
    assert isinstance(application.config.signing, SigningConfig)
    assert KEY not in repr(application.config)


def test_a_handler_of_a_protocol_cannot_ask_for_signed_messages(project: Project) -> None:
    module = MODULE + "@handler(sign=True)\ndef any_text(message: HasText): ...\n"
    with pytest.raises(HandlerDefinitionError, match="messenger.yaml: .*any_text.*HasText, a protocol"):
        project.load(SIGNING, module=module, KEY=KEY)


def test_a_name_that_is_another_class_is_refused_at_load(project: Project) -> None:
    module = MODULE + f"@message(name='{project.module}.Refund', sign=False)\n@dataclass\nclass Other: ...\n"
    with pytest.raises(ConfigError, match=r"two message classes are called '\w+.Refund': "):
        project.load(SIGNING, module=module + HANDLERS["union"], KEY=KEY)
