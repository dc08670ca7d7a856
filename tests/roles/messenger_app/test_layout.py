"""Who owns which directory of an application."""

from __future__ import annotations

from tests.support.modules import load
from tests.support.paths import ROOT

layout = load(ROOT / "plugins/filter/layout.py")


def test_only_the_application_s_own_directories_belong_to_its_user() -> None:
    rows = layout.application_directories("/srv/shop", "shop", "999", ["/data/shop"])
    assert [row["path"] for row in rows if row["owner"] == "shop"] == ["/srv/shop/shared/var", "/data/shop"]
    assert {row["owner"] for row in rows} == {"root", "shop"}
    assert [row["path"] for row in rows if int(row["mode"], 8) & 0o022] == []
    assert [row["path"] for row in rows if int(row["mode"], 8) & 0o007] == ["/var/lib/messenger-kit", "/srv/shop"]


def test_a_directory_is_made_after_the_one_that_it_lies_in() -> None:
    paths = [row["path"] for row in layout.application_directories("/srv/shop", "shop", "999", [])]
    for number, path in enumerate(paths):
        parent = path.rpartition("/")[0]
        assert parent not in paths[number:]


def test_what_a_backup_says_of_a_store() -> None:
    (entry,) = layout.backup_entries([{"store": "failed.sqlite", "sha256": "00", "bytes": 5}], "w1")
    assert entry == {"file": "w1-failed.sqlite", "host": "w1", "store": "failed.sqlite", "sha256": "00"}
