# Every target sets up what it needs; a second run finds it there. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak check bench gallery clean
SHELL := /bin/sh
# Tests start some hundreds of processes: each would compile all modules of the project anew.
unexport PYTHONDONTWRITEBYTECODE
MAKEFLAGS += --no-print-directory

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Set up Python packages alone (uv, .venv)
	@sh scripts/setup.sh python

demo: ## Record a call of three guests inside this machine, and show what came of it
	@sh scripts/setup.sh demo
	@.venv/bin/wallflower demo

test: ## Run the tests (a real Janus and LiveKit, real browsers and databases where root lets us; 45 minutes)
	@sh scripts/setup.sh test
	@sh scripts/test.sh

soak: ## Run the tests that take long
	@sh scripts/setup.sh test
	@HYPOTHESIS_PROFILE=dice .venv/bin/python -m pytest -v --durations=15 tests/layouts tests/rtc tests/workers/test_messages.py
	@.venv/bin/python -m pytest -v --durations=15 -m soak

check: ## Lint, formatting and types
	@sh scripts/setup.sh python
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: ## Measure scenes, painting, messages through Redis, captions, and an attendant in a live call of four
	@sh scripts/setup.sh test
	@.venv/bin/python -m bench

gallery: ## Draw the gallery of layouts in docs/ anew
	@sh scripts/setup.sh demo
	@.venv/bin/python -m workers.gallery

clean: ## Remove what the other targets made, but for downloads of the package manager
	rm -rf .venv .tools demo-out bench-out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
