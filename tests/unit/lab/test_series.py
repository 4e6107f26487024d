# SPDX-License-Identifier: GPL-2.0-or-later
"""The patch series, as the builder sees it."""

from pathlib import Path

from kernel_patches.series import patches, touched
from kernel_patches.source import _replace

PATCH = """From 0 Mon Sep 17 00:00:00 2001
Subject: [PATCH] mm: an example

The text may say diff --git a/not/this b/not/this in passing.
---
diff --git a/mm/changed.c b/mm/changed.c
--- a/mm/changed.c
+++ b/mm/changed.c
@@ -1 +1 @@
-old
+new
diff --git a/mm/from.c b/mm/to.c
similarity index 100%
rename from mm/from.c
rename to mm/to.c
"""


def test_touched_files_are_those_of_the_diffs(tmp_path: Path) -> None:
    patch = tmp_path / "0001-example.patch"
    patch.write_text(PATCH)
    assert touched([patch]) == {"mm/changed.c", "mm/from.c", "mm/to.c"}


def test_series_is_in_the_order_of_its_numbers() -> None:
    numbers = [int(patch.name[:4]) for patch in patches()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_unchanged_file_keeps_its_time_stamp_so_that_make_leaves_its_objects(tmp_path: Path) -> None:
    path = tmp_path / "file.c"
    path.write_text("same")
    before = path.stat()
    _replace(path, b"same")
    assert path.stat() == before


def test_changed_file_is_replaced_and_its_hard_link_stays(tmp_path: Path) -> None:
    original, path = tmp_path / "original", tmp_path / "file.sh"
    original.write_text("old")
    original.chmod(0o755)
    path.hardlink_to(original)
    _replace(path, b"new")
    assert (original.read_text(), path.read_text()) == ("old", "new")
    assert path.stat().st_mode & 0o777 == 0o755


def test_removed_file_goes_and_may_be_gone_already(tmp_path: Path) -> None:
    path = tmp_path / "file.c"
    path.touch()
    _replace(path, None)
    _replace(path, None)
    assert not path.exists()
