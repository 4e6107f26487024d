# SPDX-License-Identifier: GPL-2.0-or-later
"""What conditions look at."""

from enum import StrEnum


class Metric(StrEnum):
    """What a condition looks at. The values are also the reasons that events and metrics name."""

    USAGE = "usage"
    PSI_SOME = "psi_some"
    PSI_FULL = "psi_full"
    PGFAULTS = "pgfaults"
    REFAULTS = "refaults"
    REFAULTS_ANON = "refaults_anon"
    REFAULTS_FILE = "refaults_file"
    EVENTS_HIGH = "events_high"
    EVENTS_MAX = "events_max"
    EVENTS_OOM = "events_oom"
    SWAP_FREE = "swap_free"
    RECLAIMED = "reclaimed"
    AFTER = "after"


#: What is measured by the kernel's pressure stall information.
PSI = frozenset({Metric.PSI_SOME, Metric.PSI_FULL})
