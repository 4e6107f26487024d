# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a backend will not reclaim from a cgroup now, in the words of RefusedError."""

NO_RULE = "the cgroup has no rule"
NO_RECLAIM = "its policy does not reclaim"
UNDER_WAY = "an episode is under way"
