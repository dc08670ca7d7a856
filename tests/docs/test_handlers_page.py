"""docs/handlers.md: its pieces, put into one application."""

from __future__ import annotations

from collections.abc import Callable

from tests.docs.blocks import blocks
from tests.docs.conftest import Guide
from tests.support.paths import ROOT

# What the page leaves to its reader.
MESSAGES = """
from dataclasses import dataclass

@dataclass
class SmsNotification:
    content: str

@dataclass
class PriceOf:
    article: str

@dataclass
class PlaceOrder:
    id: int

@dataclass
class OrderPlaced:
    id: int

@dataclass
class Reading:
    value: int

class Gateway:
    def send(self, text):
        print("sms:", text)

class HttpGateway(Gateway): ...

class Settings: ...
"""
IMPORTS = """
from messenger import Acknowledger, Batch, DispatchAfterCurrentBusStamp, Envelope, MessageBus, handler
from shop.messages import *

def charge(order):
    if order.id == 13:
        raise ValueError("the card was refused")

@handler
def price_of(message: PriceOf) -> int:
    return len(message.article)

@handler
def on_placed(message: OrderPlaced) -> None:
    print("placed:", message.id)

"""
PROGRAM = """
from messenger import Application, HandlerFailed
from shop.messages import *

application = Application.load("messenger.yaml")
application.dispatch(SmsNotification("hello"))
application.dispatch(PlaceOrder(7))
application.dispatch(Reading(3))
try:
    application.dispatch(PlaceOrder(13))
except HandlerFailed as error:
    print(error)
"""


def block_with(text: str) -> str:
    """The only block of the page that has this text."""
    (found,) = (block.text for block in blocks(ROOT / "docs/handlers.md") if text in block.text)
    return found


def test_its_pieces_work_together(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/handlers.md")
    parts = {
        "shop/messages.py": MESSAGES,
        "shop/handlers.py": IMPORTS
        + block_with("def send_sms(")
        + block_with("def place_order(")
        + block_with("Batch("),
        "shop/setup.py": "from shop.messages import *\n" + block_with("def setup("),
        "messenger.yaml": block_with("setup: shop.setup.setup"),
        "program.py": PROGRAM + block_with("price = ask(") + "print('price:', price)\n",
    }
    for name, text in parts.items():
        path = project.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert project.python("program.py").splitlines() == [
        "sms: hello",
        "placed: 7",
        "stored: [3]",
        "shop.handlers.place_order failed: ValueError: the card was refused",
        "price: 7",
    ]
