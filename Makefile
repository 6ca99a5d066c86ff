# One verb each, the same in CI and by hand.
PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: setup demo test test-slow test-cluster test-gpu test-browser fuzz lint types format docs bench bench-guards bench-choice chaos chaos-cluster bench-control bench-screens bench-dashboard bench-peers bench-lanes bench-gpu bench-gpu-estimate bench-pruners bench-postgres bench-cluster bench-object-store screenshots clean

$(VENV)/.product: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ftsweep needs Python 3.11 or newer; name one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e .
	touch $@

$(VENV)/.dev: $(VENV)/.product
	$(PIP_INSTALL) -e '.[dev]'
	touch $@

setup: $(VENV)/.dev  ## the virtual environment with everything for development

demo: $(VENV)/.product  ## install, run the quickstart sweep, end with the best model and the links
	$(BIN)/ftsweep run quickstart

test: $(VENV)/.dev  ## the default suite
	$(BIN)/python -m pytest -m "not slow and not gpu" -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.dev  ## proofs that take minutes
	$(BIN)/python -m pytest -m "slow and not gpu" --timeout 1800

test-cluster: $(VENV)/.dev  ## PostgreSQL, Ray and S3: starts them itself (Debian: apt install postgresql)
	$(PIP_INSTALL) -e '.[postgres,ray,s3]' 'moto[server]>=5,<6'
	$(BIN)/python -m pytest -m "cluster and not gpu" --timeout 1800

test-gpu: $(VENV)/.dev  ## what needs a CUDA device
	$(BIN)/python -m pytest -m gpu --timeout 1800

test-browser: $(VENV)/.dev  ## pages in a real Chromium
	$(BIN)/python -m pytest -m browser

SECONDS ?= 30
fuzz: $(VENV)/.dev  ## new examples for every property in tests/fuzz, SECONDS for each
	FTSWEEP_FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/fuzz --timeout $$(($(SECONDS) + 600))

lint: $(VENV)/.dev types  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy ftsweep

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(VENV)/.product  ## docs/cli.md, from the commands' own help
	$(BIN)/python docs/make_cli_reference.py > docs/cli.md

screenshots: $(VENV)/.dev  ## the pictures in docs/images, of a real study
	$(BIN)/python docs/screenshots/make_screenshots.py

bench: $(VENV)/.dev  ## the measurements in benchmarks/, printed as a table
	$(BIN)/python benchmarks/run_all.py

bench-screens: $(VENV)/.dev  ## the report's page at 12, 1,000 and 10,000 trials: size, and CPU seconds to write and to open it
	$(BIN)/python benchmarks/report_page.py

bench-dashboard: $(VENV)/.dev  ## the dashboard at 10,000 trials in Chromium: first read and view, a selection, a sort, news, ten pages
	$(BIN)/python benchmarks/dashboard/run.py

bench-guards: $(VENV)/.dev  ## faults planted in data, and whether the guards find them
	$(BIN)/python benchmarks/guards/run.py

bench-choice: $(VENV)/.dev  ## what rules of choosing a model and a setting are worth; records its pools first (half an hour)
	$(BIN)/python benchmarks/choice/record_words.py
	$(BIN)/python benchmarks/choice/record.py
	$(BIN)/python benchmarks/choice/run.py --studies 60

bench-lanes: $(VENV)/.dev  ## what trials gain by sharing passes, at batch 1, 4 and 16 with 1, 4 and 8 lanes, in CPU seconds and operations
	$(BIN)/python benchmarks/lanes.py

$(VENV)/peers/.made: $(VENV)/.dev  # a peer that cannot be installed is named as absent
	$(PYTHON) -m venv $(VENV)/peers
	$(BIN)/python benchmarks/peers/join_environment.py $(VENV)/peers
	-$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'ray[tune]>=2.50,<3'
	-$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --pre 'hydra-optuna-sweeper==1.4.0rc3' 'optuna==5.0.0'
	touch $@

bench-peers: $(VENV)/peers/.made  ## ftsweep and what people would use instead: equal work, time to a target, fidelity, what each survives
	$(BIN)/python benchmarks/peers/run.py
	$(BIN)/python benchmarks/peers/target.py
	$(BIN)/python benchmarks/peers/fidelity.py
	$(BIN)/python benchmarks/peers/survival.py

bench-gpu: $(VENV)/.dev  ## steps on a CUDA device in at most 8 minutes: PEFT's, ftsweep's, and lanes 1 to 16 of three sizes of models
	$(BIN)/python benchmarks/gpu/run.py

bench-gpu-estimate: $(VENV)/.dev  ## the same table without a GPU, from counted operations and the roofline: an estimate
	$(BIN)/python benchmarks/gpu/estimate.py

chaos: $(VENV)/.dev  ## 1,000 kills of short studies, each held against an undisturbed one
	$(BIN)/python benchmarks/chaos/run.py

KILLS ?= 200
chaos-cluster: $(VENV)/.dev  ## KILLS kills of what studies on a Ray cluster stand on: starts Ray, PostgreSQL and MLflow itself (Linux, root)
	$(PIP_INSTALL) -e '.[postgres,ray]'
	$(BIN)/python benchmarks/chaos_cluster/run.py --kills $(KILLS)

bench-control: $(VENV)/.dev  ## what the control process costs: 10,000 simulated trials, and MLflow away
	$(BIN)/python benchmarks/run_all.py --only control_scale --only mlflow_away

bench-pruners: $(VENV)/.dev  ## which rule of stopping trials pays, and whether pausing them does: simulated searches on recorded curves
	$(BIN)/python benchmarks/pruners/run.py

bench-postgres: $(VENV)/.dev  ## asks and tells of 16 control processes in one PostgreSQL, which it starts itself
	$(PIP_INSTALL) -e '.[postgres]'
	$(BIN)/python benchmarks/run_all.py --only postgres_owners

bench-cluster: $(VENV)/.dev  ## a Ray cluster, which it starts itself: the control side with 64 slots, checkpoints, an idle node, a lost host
	$(PIP_INSTALL) -e '.[ray]'
	$(BIN)/python benchmarks/cluster/run.py

bench-object-store: $(VENV)/.dev  ## what keeping a study at an address costs, on a folder and on moto's S3
	$(PIP_INSTALL) -e '.[s3]' 'moto[server]>=5,<6'
	$(BIN)/python benchmarks/run_all.py --only object_store

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
