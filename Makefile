# pgkeep: the entry points. `make` alone lists them.

STACK ?= prod
ROLE ?= app
PYTHON := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup build up down preview check psql env host-tests test lint bench mutants

help: ## List the entry points
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup:
	@sh toolchain/bootstrap.sh

up: setup ## Deploy the stack `local` on this machine (Linux, root; no AWS account)
	@$(PYTHON) -m toolchain up

down: setup ## Destroy the stack `local` and remove everything of its cloud
	@$(PYTHON) -m toolchain down

psql: setup ## psql on the stack `local`: ROLE=app (pooler), readonly (replica) or migrator (database)
	@$(PYTHON) -m toolchain psql --role $(ROLE)

env: setup ## Shell environment for plain `pulumi` and `aws` on the stack `local`: eval "`make env`"
	@$(PYTHON) -m toolchain env

preview: setup ## Preview STACK=dev|staging|prod with the policy packs, without an AWS account
	@$(PYTHON) -m toolchain preview $(STACK)

check: setup ## Preview dev, staging and prod; fail on any policy violation
	@$(PYTHON) -m toolchain preview dev && $(PYTHON) -m toolchain preview staging && $(PYTHON) -m toolchain preview prod

build: setup ## What the functions run, for x86_64 and arm64 (before a `pulumi up` on AWS)
	@$(PYTHON) -m toolchain build

lint: setup ## Format, lint, types and workflows
	@ruff format --check . && ruff check . && pyright && $(PYTHON) -m toolchain.actionlint

host-tests: setup ## Host tests on the deployed pooler hosts of STACK
	@$(PYTHON) -m toolchain host-tests $(STACK)

test: setup ## Everything: lint, types and all suites, the end-to-end one on a local cloud of its own
	@$(PYTHON) -m toolchain test

bench: setup ## Benchmarks: ratios measured in one run (minutes)
	@$(PYTHON) -m benchmarks

mutants: setup ## Mutation tests of the policy rules: every condition turned round (minutes; FILES="policies/…")
	@$(PYTHON) -m benchmarks.mutation $(FILES)
