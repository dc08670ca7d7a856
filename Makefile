# Every command of the project; `make` alone lists them.
#   PYTHON=python3.12        another interpreter for .venv
#   ARGS='-e key=value -K'   more arguments for ansible-playbook (deploy, undeploy), pytest (unit, …) or audit
#   SCENARIO=plain           one scenario only (molecule, test)
#   JOBS=4                   how much runs side by side: stages of `make test`, scenarios, processes of each pytest
#                            (default: one more than cores, because much of it waits); ARGS='-n 0' is pytest alone
#   SECONDS=600              how long, in all (fuzz)
#   HOSTS="1 5"              fleets of so many hosts (bench-deploy)

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deploy undeploy sandbox sandbox-clean test quick lint types unit fuzz integration docs roles
.PHONY: molecule molecule-all soak bench-deploy sbom dist audit clean

PYTHON ?= python3
export PYTHON
export PATH := $(CURDIR)/.venv/bin:$(PATH)

PLAYBOOK = ANSIBLE_CONFIG=ansible.cfg ansible-playbook
SCENARIOS = default plain rollback intruder
ALL_SCENARIOS = $(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
SCENARIO ?= $(SCENARIOS)
JOBS ?= $(shell expr 1 + $$(nproc))
SECONDS ?= 600
HOSTS ?= 1 5

PYTEST = pytest -q -n $(JOBS) --dist worksteal
SIDE_BY_SIDE = python scripts/side_by_side.py --logs .state/logs --at-once $(JOBS)
molecule-stages = $(foreach scenario,$(1),"molecule $(scenario)=molecule/shared/run.sh $(scenario)")

help: ## list these commands
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

deploy: ## install the services and deploy examples/sms on THIS machine, then send one message
	@scripts/venv.sh requirements.lock
	@$(PLAYBOOK) playbooks/site.yml -e messenger_smoke=true $(ARGS)

undeploy: ## take away what `make deploy` put on this machine
	@scripts/venv.sh requirements.lock
	@$(PLAYBOOK) playbooks/remove.yml $(ARGS)

sandbox: ## the same deploy inside one throwaway container
	@scripts/sandbox.sh

sandbox-clean: ## delete that container
	@molecule/shared/container.sh stop kit-sandbox

test: .dev .packages ## set up and run everything: the stages below side by side, with the time each took
	@scripts/test-packages.sh shellcheck
	@env -u MAKEFLAGS -u MAKELEVEL $(SIDE_BY_SIDE) \
	  image=molecule/shared/engine.sh $(foreach stage,types unit lint integration,"$(stage)=make $(stage)") \
	  $(call molecule-stages,$(SCENARIO)) "roles=make roles"

quick: .dev ## in under a minute: lint of what changed, types, unit tests
	@scripts/test-packages.sh shellcheck
	@env -u MAKEFLAGS -u MAKELEVEL $(SIDE_BY_SIDE) \
	  types="make types" unit="$(PYTEST) tests/unit" lint="scripts/lint.sh changed"

lint: .dev ## ruff, import-linter, yamllint, ansible-lint, shellcheck, syntax of every playbook
	@scripts/test-packages.sh shellcheck
	@scripts/lint.sh

types: .dev ## mypy --strict
	@mypy

unit: .dev ## tests of the package alone, and a short piece of fuzzing
	@$(PYTEST) tests/unit tests/fuzz $(ARGS)

fuzz: .dev ## coverage-guided fuzzing for SECONDS=600 in all; what is found is kept in .fuzz/
	@python -m tests.fuzz $(SECONDS)

integration: .dev .packages ## tests against redis-server, supervisord, PostgreSQL and PHP that they start themselves; the docs' examples
	@$(PYTEST) tests/integration tests/docs $(ARGS)

docs: .dev .packages ## the docs as a site, with the API reference, in site/; tests of their examples, links and generated pages
	@mkdocs build --strict
	@$(PYTEST) tests/docs $(ARGS)

roles: .dev .packages ## the roles, plugins and playbooks; templates are loaded by Supervisor's own parser
	@$(PYTEST) tests/roles $(ARGS)

molecule: .dev ## the roles and playbooks on real hosts in containers
	@$(SIDE_BY_SIDE) $(call molecule-stages,$(SCENARIO))

molecule-all: .dev ## every scenario, also those that CI leaves out
	@$(SIDE_BY_SIDE) $(call molecule-stages,$(ALL_SCENARIOS))

soak: .dev ## 20 deploys in a row over four hosts under load, one of them bad, one with a host cut off (30 minutes)
	@KIT_FLEET_DEPLOYS=20 molecule/shared/run.sh fleet

bench-deploy: .dev ## measure deploys beside other ways of doing them, on fleets of HOSTS="1 5" containers
	@molecule/shared/engine.sh
	@. molecule/shared/env.sh && PYTHONPATH=. python -m benchmarks.deploy $(HOSTS)

sbom: .dev ## list what messenger-kit is made of (CycloneDX) in messenger-kit.cdx.json
	@scripts/sbom.py

dist: .dev ## make the files of a release in dist/
	@scripts/dist.sh

audit: .dev ## compare the lock files with the package index: withdrawn releases, known vulnerabilities
	@scripts/audit_locks.py $(ARGS)

clean: ## remove .venv, caches, containers and the container image
	@scripts/clean.sh

.NOTPARALLEL: # two of them would install packages at once; `test` runs its stages side by side by itself
.PHONY: .dev .packages
.dev:
	@scripts/venv.sh requirements-dev.lock
.packages:
	@scripts/test-packages.sh
