"""YAML as a configuration needs it: plain values, no key twice, small, and nothing but yaml.YAMLError when wrong."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
# Octal or a time for YAML 1.1, which PyYAML reads; decimal or text for YAML 1.2.
_AMBIGUOUS = re.compile(r"[-+]?0[0-9_]+|.*:.*")
LARGEST = 100_000  # values, each alias counted as all that it stands for


def load_yaml(text: str) -> Any:
    """The values of a YAML text. Raises yaml.YAMLError, also when it is nested too deeply or unfolds to too much."""
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise ComposerError(None, None, "it is nested too deeply", None) from None


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key that is written twice, which YAML forbids and PyYAML lets pass."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node. An alias is one object here, but a walk through the values meets it in full each time."""
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.CollectionNode) and node not in self._sizes:
            pairs = isinstance(node, yaml.MappingNode)
            children = [child for pair in node.value for child in pair] if pairs else node.value
            self._sizes[node] = 1 + sum(self._sizes.get(child, 1) for child in children)
            if self._sizes[node] > LARGEST:
                raise ComposerError(None, None, f"it unfolds to more than {LARGEST} values", node.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node. PyYAML raises whatever comes when a text does not fit its tag, as in `!!int x`."""
        if node.tag in _NUMBERS and _AMBIGUOUS.fullmatch(node.value):
            raise ConstructorError(
                None, None, f"{node.value!r} is read as different numbers; write it as a plain number", node.start_mark
            )
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # "\\ud800", half a character, is a ValueError here and trouble later on
            return value
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            raise ConstructorError(None, None, f"found a value that is no {tag}", node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key is a list or a map", key_node.start_mark)
            key = key_node.value
            if key_node.tag != "tag:yaml.org,2002:merge" and key in seen:
                raise ConstructorError(None, None, f"the key {key!r} is there twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
