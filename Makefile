# SPDX-License-Identifier: GPL-2.0-or-later
# A fresh Debian machine needs git, make and python3 (3.11 or later), and root; the rest is installed when missing.

PYTHON ?= python3
RUNS ?= 5
MODES ?=
WORKLOADS ?=
MICRO_TURNS ?= 20
KERNEL ?= lab
INIT ?= agent
KERNEL_CONFIG ?=

VENV := .venv
LAB := $(PYTHON) -m tests.lab
BUILDER := $(PYTHON) -m kernel_patches.build
# Named by what it was made from: another pyproject.toml makes another environment.
READY := $(VENV)/ready-$(shell sha256sum pyproject.toml | cut -c 1-16)
SOURCES := daemon tests kernel_patches

.DEFAULT_GOAL := help
.PHONY: help demo protect bench test test-stock test-package test-debug check lint types unit host bpf vm deb rpm wheel check-patches kernel-deb clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## the experiment, without and with reclaimd, RUNS times each (5)
	$(VENV)/bin/python -m tests.bench.demo --runs $(RUNS)

bench: $(READY) ## side by side with what else reclaims; RUNS, MODES, WORKLOADS, MICRO_TURNS choose (all, 5 times)
	$(VENV)/bin/python -m tests.bench.bench --runs $(RUNS) --micro-turns $(MICRO_TURNS) \
		--modes $(MODES) --workloads $(WORKLOADS)

protect: RUNS = 3
protect: $(READY) ## protection while at work, beside a static memory.low, RUNS times each (3)
	$(VENV)/bin/python -m tests.bench.protect --runs $(RUNS)

test: lint types bpf ## everything: lint, types, unit tests, kernel, system and package tests in the VM
	$(VENV)/bin/pytest tests/unit tests/lab tests/kernel tests/system tests/service tests/package

test-stock: $(READY) bpf ## what needs no patched kernel, on Debian's own
	RECLAIMD_LAB_KERNEL=stock $(VENV)/bin/pytest tests/lab/test_stock.py tests/system tests/package

test-package: $(READY) bpf ## the Debian package in the VM, from its installation to its purge
	$(VENV)/bin/pytest tests/package

test-debug: $(READY) ## the race stress, on a kernel with KASAN and lockdep
	$(LAB) bpf --kernel debug
	RECLAIMD_LAB_KERNEL=debug $(VENV)/bin/pytest -m debug_kernel tests/kernel

check: lint types unit ## the fast half of test, without a VM

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(READY)
	$(VENV)/bin/mypy --strict $(SOURCES)

# Three at a time on two CPUs: some wait.
unit: $(READY)
	$(VENV)/bin/pytest -q -n 3 --dist worksteal tests/unit

.PHONY: docs bench-service
docs: $(READY) ## the pages that are made from the code: docs/metrics.md
	$(VENV)/bin/python -m tests.docs.metrics_page > docs/metrics.md

bench-service: host ## the daemon's memory, idle CPU, start and scrapes with 100 to 2,000 cgroups, in the VM
	$(PYTHON) -m tests.bench.service

bpf: host ## compile the BPF programs and the tests' helpers
	$(LAB) bpf

vm: host ## an interactive shell in the VM; KERNEL=debug or stock, INIT=systemd
	$(LAB) shell --kernel $(KERNEL) --init $(INIT)

deb: host ## the daemon as a Debian package, into build/deb
	$(LAB) package deb

rpm: host ## the daemon as an rpm package, into build/rpm
	$(LAB) package rpm

wheel: host ## the daemon as a wheel for pip, into build/wheel
	$(LAB) package wheel

check-patches: host ## the patch series: style, warnings, each patch by itself, configurations without it
	$(BUILDER) check-patches

kernel-deb: host ## packages of the kernel for a real machine, into build/kernel; KERNEL_CONFIG=FILE
	$(BUILDER) deb $(if $(KERNEL_CONFIG),--config $(KERNEL_CONFIG))

host:
	@$(LAB) host

$(READY): pyproject.toml | host
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --editable '.[dev]'
	touch $@

clean: ## remove what was built in the checkout; the lab's cache stays where it is
	rm -rf build $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache daemon/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
