# SPDX-License-Identifier: GPL-2.0-or-later
"""What a configuration must have for a kernel of a real machine."""

from kernel_patches import kconfig
from kernel_patches.package import FRAGMENT, SIGNING, lost_options

NEEDED = kconfig.merge([FRAGMENT])
DISTRIBUTION_KEY = 'CONFIG_SYSTEM_TRUSTED_KEYS="debian/certs/debian-uefi-certs.pem"\n'


def test_configuration_with_all_that_is_needed_has_lost_nothing() -> None:
    assert lost_options(NEEDED) == []


def test_option_that_the_dependencies_turned_off_is_lost() -> None:
    lost = lost_options(NEEDED.replace("CONFIG_PSI=y", "# CONFIG_PSI is not set"))
    assert [str(option) for option in lost] == ["CONFIG_PSI=y became n"]


def test_configuration_without_signed_modules_needs_no_key() -> None:
    assert lost_options(NEEDED + "# CONFIG_MODULE_SIG is not set\n") == []


def test_modules_are_not_signed_with_the_distribution_s_key() -> None:
    signed = NEEDED + "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_ALL=y\n"
    assert lost_options(signed + kconfig.merge([SIGNING])) == []
    assert [option.name for option in lost_options(signed + DISTRIBUTION_KEY)] == ["SYSTEM_TRUSTED_KEYS"]
