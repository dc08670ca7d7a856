"""Which transports `messenger consume` receives from."""

from __future__ import annotations

import click
import pytest

from messenger.cli.consume import consume
from messenger.cli.receivers import choose_transports
from tests.support.application_project import Project

TRANSPORTS = (
    "mail_low: 'in-memory://', now: 'sync://', mail_high: {dsn: 'in-memory://', priority: 5}, "
    "other: 'in-memory://', failed: 'in-memory://'"
)
YAML = "  failure_transport: failed\n"


def chosen(project: Project, *given: str, every: bool = False, exclude: tuple[str, ...] = ()) -> tuple[str, ...]:
    application = project.load(YAML, transports=TRANSPORTS)
    return choose_transports(application, given, every=every, exclude=exclude, ask=False)


def test_all_leaves_out_what_holds_nothing_and_begins_with_the_highest_priority(project: Project) -> None:
    assert chosen(project, every=True) == ("mail_high", "mail_low", "other")
    assert chosen(project, every=True, exclude=("mail_high",)) == ("mail_low", "other")


def test_names_stay_in_the_order_given(project: Project) -> None:
    assert chosen(project, "other", "mail_high", "other") == ("other", "mail_high")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("mail_.*", ("mail_low", "mail_high")),
        (".*", ("mail_low", "mail_high", "other", "failed")),
        ("o.+r", ("other",)),
    ],
)
def test_a_name_may_be_a_regular_expression(project: Project, pattern: str, expected: tuple[str, ...]) -> None:
    assert chosen(project, pattern) == expected


@pytest.mark.parametrize("given", ["mail", "mail_("])
def test_what_matches_nothing_is_refused(project: Project, given: str) -> None:
    with pytest.raises(click.UsageError, match="no transport is called"):
        chosen(project, given)


def test_a_transport_that_handles_at_once_is_refused(project: Project) -> None:
    with pytest.raises(click.UsageError, match=r"'n.w' matches now, which is sync://: there is nothing to consume"):
        chosen(project, "n.w")
    with pytest.raises(click.UsageError, match=r"'now' is sync://: .* nothing to consume; name another transport"):
        chosen(project, "other", "now")


def test_where_all_is_handled_at_once_there_is_nothing_to_choose(project: Project) -> None:
    application = project.load("  failure_transport: ~\n", transports="now: 'sync://'")
    with pytest.raises(click.UsageError, match="no transport is left to consume"):
        choose_transports(application, (), every=True, exclude=(), ask=False)


@pytest.mark.parametrize(
    ("arguments", "every"),
    [
        ((), 1),
        (("--no-reset",), 0),
        (("--no-reset=100",), 100),
        (("--no-reset", "100"), 100),
        (("--no-reset", "more"), 0),
    ],
)
def test_no_reset_takes_a_number_or_none(arguments: tuple[str, ...], every: int) -> None:
    assert consume.make_context("consume", ["async", *arguments]).params["reset_every"] == every


def test_the_words_of_symfonys_scripts() -> None:
    context = consume.make_context("consume", ["async", "-n", "--env=prod", "-vv", "--exclude-receivers", "x"])
    assert (context.params["env"], context.params["verbose"], context.params["exclude"]) == ("prod", 2, ("x",))
