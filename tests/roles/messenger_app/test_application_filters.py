"""Names that are derived from what an inventory says of an application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from tests.support.modules import load
from tests.support.paths import ROOT

application = load(ROOT / "plugins/filter/application.py")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/me/shop", "shop"),
        ("/home/me/shop/", "shop"),
        ("/home/me/x/../shop", "shop"),
        ("/dist/shop-1.2-py3-none-any.whl", "shop"),
        ("/dist/shop_2-1.2.tar.gz", "shop_2"),
        ("git+https://git.example.org/a/shop.git@v1.2", "shop"),
        ("git+https://git.example.org/shop@v1.2#subdirectory=worker", "shop"),
        ("git+ssh://git@git.example.org/shop.git@1a2b3c", "shop"),
        ("git+file:///srv/git/shop.git/", "shop"),
        ("Shop==1.2 --hash=sha256:00", "shop"),
        ("shop[redis]==1.2", "shop"),
    ],
)
def test_what_a_source_is_called(source: str, name: str) -> None:
    assert application.source_name(source) == name


@pytest.mark.parametrize(
    ("text", "env", "names"),
    [
        ("messenger: {}", {}, ["messenger"]),
        ("messenger: {name: shop}", {"DSN": "redis://h/orders"}, ["shop", "orders"]),
        ("framework: {messenger: {name: shop, x: 'redis://h:1'}}", {"N": 5}, ["shop", "messages"]),
        ("messenger: {name: shop, x: 'redis://u:p@h/shop'}", {}, ["shop"]),
        ("- a list", {}, ["messenger"]),
    ],
)
def test_what_keys_begin_with(tmp_path: Path, text: str, env: dict[str, Any], names: list[str]) -> None:
    (tmp_path / "messenger.yaml").write_text(text)
    assert application.key_names(str(tmp_path), env) == names


@pytest.mark.parametrize("text", [b"messenger: [redis://:s3cret@h\n", b"\xff", None])
def test_an_unreadable_messenger_yaml_is_not_shown(tmp_path: Path, text: bytes | None) -> None:
    if text is not None:
        (tmp_path / "messenger.yaml").write_bytes(text)
    with pytest.raises(AnsibleFilterError, match="cannot be read, or is no YAML") as error:
        application.key_names(str(tmp_path), {})
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_an_environment_is_named_after_what_is_in_it(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    given = (str(tmp_path), "/usr/bin/python3", "cpython-311")
    name = application.environment_name(*given)
    lock.write_text("a==1\n\n")
    assert application.environment_name(*given) == name
    assert len({name, application.environment_name(*given, ["a"]), application.environment_name(*given[:2], "x")}) == 3
    lock.write_text("a==2\n")
    assert application.environment_name(*given) != name
