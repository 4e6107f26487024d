# SPDX-License-Identifier: GPL-2.0-or-later
import signal
from contextlib import ExitStack, suppress

import pytest

from reclaimd.bench.interruption import SIGNALS, Interruption


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_where_it_may(number: signal.Signals) -> None:
    with Interruption() as interruption, pytest.raises(KeyboardInterrupt), interruption.allowed():
        signal.raise_signal(number)


def test_a_signal_that_came_before_interrupts_then() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), interruption.allowed():
            pytest.fail("it was let go on")


def test_a_signal_does_not_interrupt_the_cleaning_up_and_is_not_forgotten() -> None:
    with Interruption() as interruption:
        with interruption.allowed():
            pass
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruption.check()


def test_a_second_signal_does_nothing() -> None:
    with (
        Interruption() as interruption,
        suppress(KeyboardInterrupt),
        interruption.allowed(),
        ExitStack() as stack,
    ):
        stack.callback(signal.raise_signal, signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruption():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before
