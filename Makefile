# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything a developer or CI types. Variables: PYTHON (makes the environment), VENV (where it is), PYTEST_ARGS, TEST_JOBS,
# BENCH_ARGS and ROLLING_ARGS (for the benchmarks).

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
# Files of tests at a time, each with a simulated Azure of its own; one more than CI has cores, for runs wait as well as work.
TEST_JOBS ?= 3
BENCH_ARGS ?=
SIMULATOR_FLEET ?= tests/simulator/fleets/demo.yml
SIMULATOR_STATE ?= build/simulator

BIN := $(abspath $(VENV))/bin
DEMO_STAMP := $(VENV)/.demo
STAMP := $(VENV)/.tools
ROOT_USER := $(filter 0,$(shell id -u))
PYTEST = $(BIN)/python -m pytest $(PYTEST_ARGS)

# Ansible refuses to start in a locale that is not UTF-8
export LC_ALL := C.UTF-8
export PATH := $(BIN):$(PATH)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help env system-packages demo demo-again simulator test sanity lint reference units integration test-long test-clients \
	bench bench-check bench-reading bench-planner bench-redeploy bench-rolling build clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

env: $(STAMP) ## .venv with runtime and tools; the collection works in place by its full name
	@:

$(STAMP): $(DEMO_STAMP) tests/requirements.txt
	@tests/tools/make_env.sh "$(PYTHON)" "$(VENV)" tools
	@touch $@

$(DEMO_STAMP): requirements.txt tests/demo/requirements.txt tests/tools/make_env.sh tests/tools/add_collection.py
	@tests/tools/make_env.sh "$(PYTHON)" "$(VENV)" demo
	@touch $@

system-packages: ## sshd, haproxy and wrk from the distribution, for the simulated guests
	@tests/tools/system_packages.sh

demo: $(DEMO_STAMP) system-packages ## a rolling redeploy of a simulated fleet, from inventory to report
	@$(BIN)/python tests/demo/run.py

demo-again: $(DEMO_STAMP) system-packages ## the same again on what the demo left: changes nothing
	@$(BIN)/python tests/demo/run.py --again

simulator: $(DEMO_STAMP) $(if $(ROOT_USER),system-packages) ## the simulated Azure alone, until Ctrl-C
	@PYTHONPATH=tests exec $(BIN)/python -m simulator --fleet $(SIMULATOR_FLEET) --state $(SIMULATOR_STATE) \
		$(if $(ROOT_USER),--guests)

test: ## everything CI runs, in at most 25 minutes on 2 cores
	@MAKE="$(MAKE)" $(PYTHON) tests/tools/run_tests.py system-packages+env sanity+lint+units demo demo-again integration

sanity: env ## ansible-test sanity on a copy of the checkout
	@$(BIN)/python tests/tools/sanity.py $(SANITY_ARGS)

lint: env ## ansible-lint, the linters of docs and changelog, and retired words
	$(BIN)/ansible-lint --profile production --offline $(if $(MAKE_TERMOUT),,--nocolor)
	$(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	$(BIN)/antsibull-changelog lint
	$(BIN)/python tests/tools/retired_words.py

reference: env ## pages of all plugins and roles, from their documentation, in build/reference
	@mkdir -p build/reference
	$(BIN)/antsibull-docs collection-plugins --use-current --output-format simplified-rst --fqcn-plugin-names --dest-dir build/reference fleetops.azure_maintenance

units: env ## unit tests
	$(PYTEST) tests/unit -n $(TEST_JOBS) --dist loadfile --junitxml=build/test/units.xml

integration: env system-packages ## modules, inventory and playbooks against the simulator
	$(PYTEST) tests/integration -m "not long" --ignore=tests/integration/clients -n $(TEST_JOBS) --dist loadfile --junitxml=build/test/integration.xml

test-long: env system-packages ## the long forms of tests: 20 kills of the controller, traffic through 24 guests, and more
	LONG=1 $(PYTEST) tests/unit tests/integration -m long --ignore=tests/integration/clients --junitxml=build/test/long.xml

test-clients: env system-packages ## Azure SDK, az and azure.azcollection against the simulator; this collection on its oldest and newest packages
	$(PYTEST) tests/integration/clients --junitxml=build/test/clients.xml

bench: bench-planner bench-reading bench-redeploy bench-check bench-rolling ## all benchmarks, beside the tools people use today (after test-clients)

bench-reading: env ## inventory and facts of fleets up to 10,000 VMs
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.reading $(BENCH_ARGS)

bench-planner: env ## plans of big and of many fleets
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.planner

bench-redeploy: env ## 200 VMs at once
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.redeploy

bench-check: env ## rolling_redeploy --check of 20, 40 and 80 planned hosts beside one ping of them
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.check $(BENCH_ARGS)

bench-rolling: env system-packages ## a rollout over 60 guests beside one ping of them
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.rolling $(ROLLING_ARGS)

build: env ## the artifact for ansible-galaxy, in build/
	@mkdir -p build
	$(BIN)/ansible-galaxy collection build --force --output-path build .

clean: ## removes what was made, but not .venv
	rm -rf build .ansible .hypothesis .pytest_cache tests/output changelogs/.plugin-cache.yaml
	find plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +
