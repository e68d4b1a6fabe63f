# Each target sets up what it needs; all but `install` itself are quick to repeat.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo compare view gallery sweep test reliability fuzz lab start-page lint bundle docs build-ext hooks clean-notebooks
help:
	@echo "make demo     the whole pipeline on real recordings: prepare, train, evaluate, draw (minutes)"
	@echo "make compare  all runs in results/ side by side: results/report.html and summary.csv"
	@echo "make sweep    many runs, by default all experiments on generated data: FILE=sweeps/twins.yaml"
	@echo "make view     a run on a timeline to move through, in a browser: RUN=results/watch/seed1234567891"
	@echo "make gallery  the demo's pictures, its inspector and notebooks, into results/gallery (needs chromium)"
	@echo "make test     the test suite"
	@echo "make lab      JupyterLab on this machine, with its token: where to begin, the notebooks, the runs"
	@echo "make reliability  the tests of faults and hostile files, and docs/reliability.md from what they tried: hours"
	@echo "make fuzz     damaged and twisted files for all readers, for a while: MINUTES=10"
	@echo "make lint     ruff, types, duplicated code, spelling, notebooks without outputs, and biome where Node is there"
	@echo "make bundle   the inspector's script from its modules in browser/src (needs Node)"
	@echo "make docs     the documentation into site/: site/index.html; links are checked"
	@echo "make build-ext  compile the NMS operator now instead of on first use"
	@echo "make hooks    let git check each commit with ruff, its spelling, and notebooks for outputs"
	@echo "make install  .venv with the pinned packages, afkit itself and the python3 kernel"

install: $(INSTALLED)
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "afkit needs Python 3.11 or newer, not " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[notebooks,tensorboard,sweep,cluster,complete,inspect,media,label,onnx,docs,dev]"
	$(BIN)/python -m ipykernel install --sys-prefix --name python3 --display-name "Python 3 (afkit)" > /dev/null
	@touch $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/python -m afkit run watch

compare: $(INSTALLED)
	$(BIN)/python -m afkit compare

FILE ?= sweeps/twins.yaml
sweep: $(INSTALLED)
	$(BIN)/python -m afkit sweep $(FILE)

RUN ?= results/watch/seed1234567891
view: $(INSTALLED)
	$(BIN)/python -m afkit view $(RUN)

gallery: demo compare
	$(BIN)/python docs/tools/gallery.py $(RUN) results/gallery

# Two processes at a time, each test file in one of them, and one thread in each.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

TALLY := results/reliability
FUZZED := results/published/fuzz.csv
reliability: $(INSTALLED)
	rm -rf $(TALLY)/tests
	OMP_NUM_THREADS=1 AFKIT_TALLY=$(TALLY)/tests $(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/reliability
	OMP_NUM_THREADS=1 AFKIT_TIMES=4 $(BIN)/python -m pytest tests/train/test_killed.py tests/detect/test_nms_cuda_sources.py tests/workbench/sweeps/test_sweep_faults.py tests/test_notebooks.py
	OMP_NUM_THREADS=1 AFKIT_PROCESSES=8 AFKIT_TIMES=20 AFKIT_TALLY=$(TALLY)/tests $(BIN)/python -m pytest tests/reliability/test_concurrent.py
	$(BIN)/python tests/reliability/table.py $(TALLY)/tests $(FUZZED) docs/reliability.md

MINUTES ?= 10
fuzz: $(INSTALLED)
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/reliability/fuzz.py $(MINUTES) $(TALLY)/broken $(FUZZED)

# The page says where to begin; the settings show it, and other Markdown, as it is meant, and ask no other host for news.
RESULTS ?= results
lab: $(INSTALLED) start-page
	$(BIN)/python -m jupyter lab --ip=127.0.0.1 --ServerApp.root_dir=. --LabApp.app_settings_dir=notebooks/.lab --LabApp.default_url=/lab/tree/$(RESULTS)/start.md $(if $(filter 0,$(shell id -u)),--allow-root)

start-page: $(INSTALLED)
	@$(BIN)/python -m afkit.workbench.runs.start_page $(RESULTS) > /dev/null

build-ext: $(INSTALLED)
	$(BIN)/python -m afkit build-ext

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pylint afkit
	$(BIN)/codespell
	$(BIN)/nbstripout --verify --keep-id --extra-keys "metadata.papermill cell.metadata.papermill metadata.language_info" notebooks/*.ipynb

	@if $(NPM_CI) 2> /dev/null; then npm run --prefix browser --silent lint; else echo "browser/src is not checked: Node, npm or the network is missing"; fi

# What runs in the browser is one bundle, which is committed: to use afkit takes no Node.
NPM_CI := { test -x browser/node_modules/.bin/biome || npm ci --prefix browser --silent --fetch-retries=0 --fetch-timeout=20000; }
bundle:
	$(NPM_CI)
	npm run --prefix browser --silent bundle

hooks: $(INSTALLED)
	$(BIN)/pre-commit install

docs: $(INSTALLED)
	$(BIN)/python docs/tools/pictures.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html in a browser"

clean-notebooks: $(INSTALLED)
	$(BIN)/nbstripout --keep-id --extra-keys "metadata.papermill cell.metadata.papermill metadata.language_info" notebooks/*.ipynb
