# make demo    fresh machine → results/demo/7_report/index.html
# make demo-all  the same with every model of config.yaml: the better part of an hour
# make test    the tests (under 20 minutes on 2 cores); make test-all runs the slow ones too
# make check   what CI checks before the tests: lint, format, workflow
# make why     what make demo would run, and because of which key (docs/config.md: the same for your study)
# make bench   the measurements of benchmarks/

PYTHON ?= python3
CORES ?= all
WORKFLOW := .venv/workflow
STAGES := .venv/stages
# Stages are called as `python -m brainlapse …`; without conda that is the python of .venv/stages.
# Where few cores are shared, two single-threaded trainings side by side beat one after the other.
SNAKEMAKE := PATH="$(CURDIR)/$(STAGES)/bin:$$PATH" $(WORKFLOW)/bin/snakemake --cores $(CORES) \
	--workflow-profile workflow/profiles/demo --configfile config.yaml demo.yaml
# Two processes of one thread share the tests, a folder of tests/ each at a time.
TESTS := OMP_NUM_THREADS=1 $(STAGES)/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder
REPORT := results/demo/7_report/index.html

.PHONY: demo demo-all why clean-demo test test-all check format bench environments

demo: environments
	@$(SNAKEMAKE)
	@echo; echo "The report: $(CURDIR)/$(REPORT)"

# Every row of config.yaml at the demo's scale; what `make demo` has made is not made again.
demo-all: environments
	@$(SNAKEMAKE) demo-all.yaml
	@echo; echo "The report: $(CURDIR)/$(REPORT)"

# Without the profile, whose short output leaves the reasons out.
why: environments
	@$(WORKFLOW)/bin/snakemake --dry-run --cores 1 --configfile config.yaml demo.yaml 2>&1 \
		| PYTHONPATH=src $(STAGES)/bin/python -m brainlapse why

clean-demo:
	rm -rf results/demo

test: environments
	$(TESTS) -m "not slow"

test-all: environments
	$(TESTS)

check: environments
	$(WORKFLOW)/bin/ruff check .
	$(WORKFLOW)/bin/ruff format --check .
	$(WORKFLOW)/bin/snakefmt --check Snakefile workflow/rules
	$(SNAKEMAKE) --lint

format: environments
	$(WORKFLOW)/bin/ruff check --fix .
	$(WORKFLOW)/bin/ruff format .
	$(WORKFLOW)/bin/snakefmt Snakefile workflow/rules

# Plans a study of ADNI's size, reads a download of 100,000 images, measures the demo's alignment and volumes, times
# scoring and comparing, counts what models cost, and times loading and training; benchmarks/gpu.sh is the same for a GPU.
bench: demo
	$(STAGES)/bin/python benchmarks/plan.py --folder $$(mktemp -d)/plan
	PYTHONPATH=tests/manifest $(STAGES)/bin/python benchmarks/manifest.py --folder $$(mktemp -d)/manifest
	$(STAGES)/bin/python benchmarks/followup_alignment.py --results results/demo
	$(STAGES)/bin/python benchmarks/ruler.py --results results/demo
	$(STAGES)/bin/python benchmarks/scoring_speed.py
	$(STAGES)/bin/python benchmarks/comparing_speed.py
	$(STAGES)/bin/python benchmarks/model_cost.py
	$(STAGES)/bin/python benchmarks/loader.py
	$(STAGES)/bin/python benchmarks/training_speed.py --eager

environments: $(WORKFLOW)/installed $(STAGES)/installed

# Snakemake cannot share an environment with the stages; requirements/ says why.
$(WORKFLOW)/installed: requirements/workflow.txt requirements/workflow.lock
	@echo "Installing Snakemake into $(WORKFLOW)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "brainlapse needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(WORKFLOW)
	@$(WORKFLOW)/bin/pip install --quiet --disable-pip-version-check -r requirements/workflow.txt -c requirements/workflow.lock
	@touch $@

$(STAGES)/installed: requirements/stages.txt requirements/test.txt requirements/stages.lock
	@echo "Installing ANTs, torch and the other packages into $(STAGES): some minutes, once"
	@$(PYTHON) -m venv $(STAGES)
	@$(STAGES)/bin/pip install --quiet --disable-pip-version-check -r requirements/test.txt -c requirements/stages.lock
	@touch $@
