# SPDX-License-Identifier: GPL-2.0-or-later

from collections.abc import Callable
from pathlib import Path

import pytest

from reclaimd.config import LoadedConfig, load_config
from reclaimd.config.drop_in import find_drop_ins
from reclaimd.config.problem import InvalidConfigError
from reclaimd.errors import ConfigError, NotPermittedError
from tests.unit.config.test_loader import without_privileges

MAIN = """\
policies:
  - {name: main, match: /main, reclaim: {start: 2MiB, stop: 1MiB}}
"""


def one(name: str) -> str:
    return f"policies:\n  - name: {name}\n    match: /{name}\n    reclaim: {{start: 2MiB, stop: 1MiB}}\n"


class Host:
    """A configuration, and the directories of its drop-ins: the administrator's and the packages'."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "reclaimd.yaml"
        self.file.write_text(MAIN)
        self.etc, self.lib = directory / "etc", directory / "lib"
        self.etc.mkdir()
        self.lib.mkdir()

    def load(self) -> LoadedConfig:
        """Load them all."""
        return load_config(self.file, (self.etc, self.lib))

    def names(self) -> list[str]:
        """Return the policies' names, in order."""
        return [policy.name for policy in self.load().config.policies]

    def errors(self) -> list[str]:
        """Return what is wrong with them, by line."""
        with pytest.raises(InvalidConfigError) as caught:
            self.load()
        return str(caught.value).splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_policies_follow_those_of_the_file_in_the_order_of_names_whatever_the_directory(host: Host) -> None:
    (host.etc / "20-b.yaml").write_text(one("b"))
    (host.lib / "10-a.yaml").write_text(one("a"))
    (host.lib / "30-c.yaml").write_text(one("c"))
    assert host.names() == ["main", "a", "b", "c"]


def test_a_name_in_the_first_directory_masks_the_others(host: Host) -> None:
    (host.etc / "web.yaml").write_text(one("etc"))
    (host.lib / "web.yaml").write_text(one("lib"))
    assert host.names() == ["main", "etc"]


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize(
    "mask",
    [_link_to_nothing, Path.touch, lambda path: path.write_text("# off\n")],
    ids=["link", "empty", "comment"],
)
def test_an_empty_file_masks_as_well(host: Host, mask: Callable[[Path], object]) -> None:
    mask(host.etc / "web.yaml")
    (host.lib / "web.yaml").write_text(one("lib"))
    assert host.names() == ["main"]


@pytest.mark.parametrize("name", ["web.yml", "web.yaml.dpkg-old", ".web.yaml", "README"])
def test_other_names_are_not_read(host: Host, name: str) -> None:
    (host.etc / name).write_text("{{{")
    assert host.names() == ["main"]


def test_directories_need_not_be_there(host: Host) -> None:
    host.etc.rmdir()
    host.lib.rmdir()
    assert host.names() == ["main"]


def test_a_policy_keeps_its_place(host: Host) -> None:
    (host.etc / "a.yaml").write_text(one("a"))
    (host.etc / "b.yaml").write_text("policies: []")
    (host.etc / "c.yaml").write_text(one("c"))
    assert str(host.load().position("policies", 2, "reclaim", "start")) == f"{host.etc}/c.yaml:4:22"


def test_mistakes_of_all_files_are_told_each_with_its_place(host: Host) -> None:
    host.file.write_text(MAIN + "log: {level: loud}\n")
    (host.etc / "a.yaml").write_text(one("a").replace("2MiB", "2MB"))
    (host.etc / "b.yaml").write_text("policies: [\n")
    (host.lib / "c.yaml").write_text(one("c") + "    color: red\n")
    places = [line.partition(": ")[0] for line in host.errors()]
    assert places == [
        f"{host.etc}/a.yaml:4:22",
        f"{host.etc}/b.yaml:2:1",
        f"{host.lib}/c.yaml:5:5",
        f"{host.file}:3:14",
    ]


def test_a_name_used_in_another_file_is_told_with_that_file(host: Host) -> None:
    (host.etc / "a.yaml").write_text(one("main"))
    (line,) = host.errors()
    text, _, hint = line.partition("; ")
    assert text == f"{host.etc}/a.yaml:2:11: policy name 'main' is already used in {host.file}:2"
    assert hint == "give each policy a name of its own"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("metrics: {listen: '0.0.0.0:1'}\n", "1:1: the key 'metrics' cannot stand in a drop-in"),
        ("policies: []\nlog: {}\n", "2:1: the key 'log' cannot stand in a drop-in"),
        ("policies: none\n", "1:11: policies: must be a list, but is text"),
        ("- name: a\n", "1:1: must be a mapping, but is a list"),
        ("policies: []\npolicies: []\n", "2:1: duplicate key 'policies', first given in line 1, column 1"),
    ],
)
def test_a_drop_in_holds_policies_and_nothing_else(host: Host, text: str, error: str) -> None:
    (host.etc / "a.yaml").write_text(text)
    (line,) = host.errors()
    assert line.partition(";")[0] == f"{host.etc}/a.yaml:{error}"


def test_a_configuration_without_a_list_of_policies_is_told_whatever_the_drop_ins_hold(host: Host) -> None:
    host.file.write_text("policies: {}\n")
    (host.etc / "a.yaml").write_text(one("a"))
    assert [line.partition(";")[0] for line in host.errors()] == [
        f"{host.file}:1:11: policies: must be a list, but is a mapping"
    ]


def test_a_link_to_nowhere_is_an_error(host: Host) -> None:
    (host.etc / "a.yaml").symlink_to(host.etc / "gone")
    with pytest.raises(ConfigError, match=r"a\.yaml: no such file; remove it"):
        host.load()


def test_what_is_no_directory_is_an_error(host: Host) -> None:
    host.etc.rmdir()
    host.etc.touch()
    with pytest.raises(ConfigError, match="etc: cannot be read: Not a directory"):
        host.load()


def test_a_directory_that_may_not_be_read_is_an_error(host: Host) -> None:
    host.etc.chmod(0)
    with without_privileges(), pytest.raises(NotPermittedError, match="etc: permission denied"):
        find_drop_ins((host.etc,))


def test_any_other_file_stands_for_itself(host: Host) -> None:
    (host.etc / "a.yaml").write_text(one("a"))
    assert [policy.name for policy in load_config(host.file).config.policies] == ["main"]


def test_the_default_file_has_its_drop_ins(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reclaimd.config.loader.DEFAULT_CONFIG", host.file)
    monkeypatch.setattr("reclaimd.config.loader.POLICY_DIRS", (host.etc, host.lib))
    (host.lib / "a.yaml").write_text(one("a"))
    assert [policy.name for policy in load_config(host.file).config.policies] == ["main", "a"]
