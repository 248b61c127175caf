# Everything runs in .venv, built once from pyproject.toml and constraints.txt.
VERSION_FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do $$p -c '$(VERSION_FITS)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
CLIP := examples/tears-to-laughter.mp4

# Where an environment forbids compiled modules to be kept, as containers often
# do, every process would compile ten seconds' worth of libraries anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test bench lint sbom audit clean

setup: .venv/.ready

# uv resolves and installs several times faster than pip does.  The editable
# install keeps one copy of the code: this one.
.venv/.ready: pyproject.toml constraints.txt models.txt
	@$(PYTHON) -c '$(VERSION_FITS)' 2>/dev/null || \
		{ echo "emoscribe needs Python 3.11 to 3.13: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip install --quiet --constraint constraints.txt --editable '.[offline,app,dev]'
	@$(BIN)/emoscribe doctor --fetch embedded || echo 'emoscribe works without these, and less well' >&2
	@touch $@

demo: setup
	$(BIN)/emoscribe analyze $(CLIP) --config embedded --out out/demo --formats json,srt,html
	@echo "Next: $(BIN)/emoscribe analyze YOUR-VIDEO --out out, or with emoscribe on the path: uv tool install '.[offline]'"

# A file of tests a process, as many at once as there are cores, up to four:
# each process may hold several models.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# The small ones; what each measures stands in benchmarks/README.md.
bench: setup
	cd benchmarks && for name in 'session --clips 2' 'store --rows 20000' 'scale --clips 10' scoring 'pack --rounds 1'; do \
		set -- $$name; name=$$1; shift; echo "── $$name" && ../$(BIN)/python $$name.py "$$@" || exit 1; \
	done

# What all of it is made of, models included, for whoever has to know (CycloneDX).
sbom: setup
	$(BIN)/python recipes/sbom.py --out out/sbom.json

# Asks the index of packages; where that cannot tell, it says so and fails.
audit: setup
	$(BIN)/python recipes/audit.py constraints.txt

clean:
	rm -rf .venv out build dist *.egg-info
