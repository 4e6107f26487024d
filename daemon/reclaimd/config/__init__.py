# SPDX-License-Identifier: GPL-2.0-or-later
"""YAML to typed policy, with errors that carry file, line and column."""

from reclaimd.config.loader import DEFAULT_CONFIG, LoadedConfig, load_config, parse_config
from reclaimd.config.models import Config

__all__ = ["DEFAULT_CONFIG", "Config", "LoadedConfig", "load_config", "parse_config"]
