# SPDX-License-Identifier: GPL-2.0-or-later
import os
import subprocess
import time

import pytest

from reclaimd.bench.cpu_clock import process_cpu_s


def test_it_is_the_process_s_own_cpu_time() -> None:
    before_s = time.process_time()
    told_s = process_cpu_s(os.getpid())
    assert before_s <= told_s <= time.process_time()


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(OSError, match="Invalid argument"):
        process_cpu_s(process.pid)
