# make demo    render a silent clip, give it a sound, and measure how well the sound fits
# make test    run the tests
# make check   run what .ci/run runs: tests, lint, types, drift of man pages and completions
# make man     write man/ and completions/ anew from the command tree
# make train-defaults DATA=FOLDER
#              train the shipped models anew, into run/
#
# Each target first makes .venv and installs into it, once: again only after pyproject.toml or
# constraints.txt has changed. `make PYTHON=python3.12 test` chooses the interpreter, `make JOBS=8
# test` how many processes share the tests.
#
# torch comes from PyPI, which on Linux is the CUDA build. The smaller CPU build will do:
#     PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
INSTALLED := .venv/.installed
TOOLS := .venv/.installed-tools

.PHONY: demo test check lint types drift man train-defaults clean
.DELETE_ON_ERROR:

test: $(TOOLS)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

demo: $(INSTALLED)
	$(BIN)/python examples/demo.py

check: test lint types drift

lint: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TOOLS)
	$(BIN)/mypy

drift: $(TOOLS)
	$(BIN)/python -m foleycli.cli.reference --check
	@if command -v man >/dev/null; then \
	  for page in man/*.1; do \
	    found=$$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings=all -l "$$page" 2>&1 >/dev/null); \
	    test -z "$$found" || { echo "$$page: $$found" >&2; exit 1; }; \
	  done; \
	fi

man: $(TOOLS)
	$(BIN)/python -m foleycli.cli.reference

# What made foleycli/assets: DATA holds manifest.csv and images/, TEACHER is an ImageNet SqueezeNet.
# About five hours on two cores; the model card says what was measured.
CLASSES := break,car,clock,chopping,fire,footstep,gunshot,horse,rain,thunder,typing,waterfall
STEPS := 1734
HEARD := baby,break,car,chopping,clock,dog,fire,footstep,gunshot,hammer,horse,rail_transport,rain,$\
  sneeze,thunder,typing,waterfall
SCENES := break,car,chopping,clock,dog,drum,fire,footstep,gunshot,horse,rail_transport,rain,typing,$\
  water_flowing,waterfall

train-defaults: $(TOOLS)
	@test -n "$(DATA)" -a -n "$(TEACHER)" || { \
	  echo "Say where the data are: make train-defaults DATA=FOLDER TEACHER=FILE" >&2; exit 1; }
	$(BIN)/foley train timing $(DATA)/manifest.csv --where kind=video -o run/timing
	$(BIN)/foley train recognition $(DATA)/images $(DATA) -o run/recognition \
	  --teacher $(TEACHER) --classes $(CLASSES)
	$(BIN)/foley train foleygan $(DATA)/manifest.csv --where tier=free -o run/foleygan \
	  --preset mini --steps $(STEPS) --classes $(CLASSES)
	$(BIN)/foley train classifier $(DATA)/manifest.csv --where tier=free -o run/classifier \
	  --device cpu --classes $(HEARD)
	$(BIN)/foley train sound2scene --sounds $(DATA)/manifest.csv --where 'tier=free|nc' \
	  --pictures $(DATA)/images --same rail_transport=train,water_flowing=water \
	  --classes $(SCENES) --teacher $(TEACHER) --preset mini --device cpu -o run/sound2scene
	$(BIN)/python benchmarks/generator_report.py $(DATA)/manifest.csv --model run/foleygan \
	  --split valid --ship run/foleygan.safetensors

# torch goes first: torchaudio's wheel names no torch version, and this one is the tested one.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "foleycli needs Python 3.11 or later; this is $$($(PYTHON) -V 2>&1)." >&2; \
	  echo "Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q $$(grep '^torch==' constraints.txt)
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(TOOLS): $(INSTALLED)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist demo
