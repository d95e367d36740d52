# `make run` opens a shop, `make test` proves it; both need only python3 (3.11 or newer, with venv and pip) and make.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --require-hashes
PIP_TOOLS := pip-tools==7.6.2

.DEFAULT_GOAL := help
.PHONY: help install install-dev run demo test check messages bench soak mutations lock

help:
	@echo 'make run | demo | test | check | bench | soak | mutations | install | lock'

# The environment: made again only when its lock has changed.

install: .venv/installed
install-dev: .venv/installed-dev

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bookshelf needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@echo 'Installing into .venv …'
	@$(PYTHON) -m venv --clear .venv
	@$(PIP_INSTALL) --requirement requirements.lock
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo 'Installing what tests and checks need …'
	@$(PIP_INSTALL) --requirement requirements-dev.lock
	@touch $@

# The shop

# Made under another name and then linked: two that start at once end up with the same key, and none is half written.
var/secret_key:
	@umask 077; mkdir -p var; \
	$(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(64))' > $@.$$$$; \
	ln $@.$$$$ $@ 2>/dev/null || test -s $@; rm -f $@.$$$$

# Two that start at once would trip over each other's tables and half gathered files: one waits here for the other.
ALONE := $(PYTHON) -c 'import fcntl, subprocess, sys; lock = open("var/lock", "w"); \
	fcntl.flock(lock, fcntl.LOCK_EX); sys.exit(subprocess.call(sys.argv[1:]))'

# The demo shop's own events are delivered at once, whatever the engine: nobody else is running yet.
run: .venv/installed var/secret_key
	@set -e; export SECRET_KEY="$${SECRET_KEY:-$$(cat var/secret_key)}" DEBUG=0; \
	$(ALONE) $(MANAGE) migrate --verbosity 0; \
	$(ALONE) $(MANAGE) collectstatic --no-input --verbosity 0; \
	EVENTS_ENGINE=inline $(ALONE) $(MANAGE) open_shop; \
	relay=; worker=; \
	case "$$EVENTS_ENGINE" in relay|celery) $(MANAGE) relay & relay=$$!;; esac; \
	if [ "$$EVENTS_ENGINE" = celery ]; then \
		$(BIN)/python -m celery --app bookshelf_site.events.celery_engine worker & worker=$$!; fi; \
	$(BIN)/python -m gunicorn --config python:bookshelf_site.gunicorn_conf & web=$$!; \
	end() { kill $$web $$relay $$worker 2>/dev/null || true; wait; }; trap end EXIT; trap 'end; exit 0' INT TERM; \
	wait $$web

demo: .venv/installed var/secret_key
	@SECRET_KEY="$${SECRET_KEY:-$$(cat var/secret_key)}" $(MANAGE) demo

# The proof

# The whole suite twice, side by side, for each waits often enough; the second one's report follows the first one's.
# What it starts is compiled once, not by each of its processes, whatever the environment says.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/installed-dev
	@report=$$(mktemp); \
	$(BIN)/python -m pytest --database=postgresql >"$$report" 2>&1 & postgresql=$$!; \
	trap 'kill -INT $$postgresql 2>/dev/null; wait; rm -f "$$report"; exit 130' INT TERM; \
	$(BIN)/python -m pytest --database=sqlite; sqlite=$$?; \
	echo 'Waiting for the same suite on PostgreSQL …'; wait $$postgresql; failed=$$?; \
	cat "$$report"; rm -f "$$report"; test $$failed -eq 0 && exit $$sqlite; exit $$failed

check: check-style check-types check-imports check-migrations check-deploy check-openapi check-events

.PHONY: check-style check-types check-imports check-migrations check-deploy check-openapi check-events openapi
check-style: .venv/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

check-types: .venv/installed-dev
	@DEBUG=1 $(BIN)/mypy

check-imports: .venv/installed-dev
	@$(BIN)/lint-imports --no-logo

check-migrations: .venv/installed-dev
	@DEBUG=1 DATABASE_URL=sqlite://:memory: $(MANAGE) makemigrations --check --dry-run

check-deploy: .venv/installed-dev
	@DEBUG=0 SECRET_KEY=not-a-secret-but-as-long-as-a-real-one-and-as-varied-0123456789 \
	PUBLIC_URL=https://shop.example.com ALLOWED_HOSTS= $(MANAGE) check --deploy --fail-level WARNING

OPENAPI = DEBUG=1 DATABASE_URL=sqlite://:memory: $(MANAGE) export_openapi_schema --api bookshelf_site.api.api --indent 2 --sorted

# What clients are made from: it changes only when somebody means it to (make openapi), and what would break a client
# only when they say so (make openapi BREAKING=1).
check-openapi: .venv/installed-dev
	@new=$$(mktemp); trap 'rm -f "$$new"' EXIT; $(OPENAPI) > "$$new"; \
	diff -u docs/openapi.json "$$new" || { $(BIN)/python docs/compatibility.py docs/openapi.json "$$new"; exit 1; }

openapi: .venv/installed-dev
	@set -e; new=$$(mktemp); trap 'rm -f "$$new"' EXIT; $(OPENAPI) > "$$new"; \
	test -n "$(BREAKING)" || $(BIN)/python docs/compatibility.py docs/openapi.json "$$new"; \
	cat "$$new" > docs/openapi.json

# What the log holds for ever: a new event or version gets its file by `check_event_schemas --write`.
check-events: .venv/installed-dev
	@DEBUG=1 DATABASE_URL=sqlite://:memory: $(MANAGE) check_event_schemas

# The catalogues in locale/, from what code and templates say now; a new language: make messages LANGUAGE=es
messages: .venv/installed-dev
	@DEBUG=1 $(MANAGE) makemessages $(LANGUAGE)

# Against floors taken in the same run; what takes long is asked for by itself: benchmarks/onix.py (a feed of 100,000
# products), benchmarks/lists.py (the admin's lists at 1,000,000 rows) and benchmarks/guesses.py (what the time of an
# answer tells of an order), each with --database and smaller numbers.
bench: .venv/installed-dev
	@$(BIN)/python benchmarks/run.py

# The shop at work while its processes are killed: make soak [MINUTES=10] [SEED=n] [DATABASE=postgresql|sqlite]
soak: .venv/installed-dev
	@$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(DATABASE),--database $(DATABASE))

# Each of the core's safeguards is taken away in a copy, and the tests have to notice.
mutations: .venv/installed-dev
	@$(BIN)/python -m tests.mutations

# The pins: `make lock` after a change in pyproject.toml, `make lock UPGRADE=--upgrade` for newer releases.

PIP_COMPILE = $$tools/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra metrics $(UPGRADE)

lock:
	@set -e; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools"; "$$tools/bin/pip" install --quiet --disable-pip-version-check '$(PIP_TOOLS)'; \
	$(PIP_COMPILE) --output-file requirements.lock pyproject.toml; \
	$(PIP_COMPILE) --extra celery --extra dev \
		--constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
