.PHONY: install demo test soak lint bench docs lock
BIN = .venv/bin

install:               ## .venv with cscale in it
	@tools/install
demo: install          ## three archives and a hub on this machine; ARGS=--once ends after the first answers
	@$(BIN)/cscale demo $(ARGS)
test: lint             ## all tests
	@tools/servers
	$(BIN)/pytest -n auto $(ARGS)
soak: install          ## the load and fault tests at full size
	@tools/servers
	$(BIN)/pytest -m soak --timeout 7200 $(ARGS)
lint: install          ## style, types, and the rooms' order
	@tools/lint
bench: install         ## figures into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks $(ARGS)
docs: install          ## the documentation, into docs/_build
	@$(BIN)/sphinx-build -W -q -b html docs docs/_build
lock: install          ## requirements.lock anew from pyproject.toml
	@tools/lock
