# SPDX-License-Identifier: GPL-2.0-or-later
import json

from reclaimd.bench.oomd import configuration


def test_senpai_keeps_all_cgroups_between_the_bounds() -> None:
    (ruleset,) = json.loads(configuration(["/plain/a", "/plain/b"], 22, 24))["rulesets"]
    (senpai,) = ruleset["actions"]
    assert senpai["name"] == "senpai"
    assert senpai["args"]["cgroup"] == "plain/a,plain/b"
    assert (senpai["args"]["limit_min_bytes"], senpai["args"]["limit_max_bytes"]) == ("22", "24")
