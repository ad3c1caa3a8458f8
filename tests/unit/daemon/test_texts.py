"""Whether a file of the catalogue has changed is seen without reading any."""

from __future__ import annotations

import os
from pathlib import Path

from onecard.daemon.texts import stamp_of


def test_what_is_written_comes_or_goes_is_seen(tmp_path: Path) -> None:
    folder, keys = tmp_path / "schemas", tmp_path / "keys.json"
    (folder / "agreements").mkdir(parents=True)
    file = folder / "agreements" / "f01.yaml"
    seen = [stamp_of(folder, keys)]
    for change in (
        lambda: keys.write_text("{}"),
        lambda: file.write_text("one"),
        lambda: file.write_text("three"),
        lambda: os.utime(file, ns=(1, 1)),
        file.unlink,
    ):
        change()
        seen.append(stamp_of(folder, keys))
        assert seen[-1] != seen[-2]
        assert seen[-1] == stamp_of(folder, keys)
    (folder / "note.txt").write_text("no text of the catalogue")
    assert stamp_of(folder, keys) == seen[-1]


def test_what_lies_behind_a_link_is_seen_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "schemas", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "contracts").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    before = stamp_of(folder)
    file = elsewhere / "one.yaml"
    file.write_text("one")
    assert {name for name, _, _ in stamp_of(folder) - before} == {
        str(folder / "contracts" / "one.yaml")
    }
