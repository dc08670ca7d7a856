"""messenger.env.j2: what python-dotenv reads from it is what was put in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.roles.render import render
from tests.support.paths import ROOT


def read_back(tmp_path: Path, env: dict[str, Any]) -> dict[str, str | None]:
    file = tmp_path / "messenger.env"
    text = render(ROOT / "templates/messenger.env.j2", "messenger_app", messenger_app_env=env, messenger_app_name="sms")
    file.write_text(text, newline="")
    return dotenv_values(file, interpolate=False)


def test_the_kit_names_host_and_state_directory(tmp_path: Path) -> None:
    assert read_back(tmp_path, {}) == {
        "MESSENGER_HOST": "host1",
        "MESSENGER_STATE_DIR": "/srv/sms/shared/var",
    }


def test_the_application_may_override_them(tmp_path: Path) -> None:
    assert read_back(tmp_path, {"MESSENGER_HOST": "other"})["MESSENGER_HOST"] == "other"


def test_numbers_and_booleans(tmp_path: Path) -> None:
    values = read_back(tmp_path, {"PORT": 6379, "DEBUG": True, "RATE": 0.5})
    assert (values["PORT"], values["DEBUG"], values["RATE"]) == ("6379", "true", "0.5")


@pytest.mark.parametrize(
    "value",
    [
        "redis://:p%40s's\"w$rd#1@redis1:6379/messages",
        "ends with a backslash\\",
        "\\'",
        "${HOME} $HOME $(id)",
        " spaces and a # at both ends # ",
        "two\nlines",
        "",
    ],
)
def test_hard_values(tmp_path: Path, value: str) -> None:
    values = read_back(tmp_path, {"A": value, "B": value})
    assert (values["A"], values["B"]) == (value, value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(value=st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_any_value(tmp_path: Path, value: str) -> None:
    values = read_back(tmp_path, {"A": value, "B": value})
    assert (values["A"], values["B"]) == (value, value)
