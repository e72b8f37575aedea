# Thin: each recipe is one line that calls measure/ or lab/. Plain `make` prints the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
RUN := .venv/bin/python -m
# Pages and records are UTF-8, whatever the locale is; and modules are those of .venv, whatever a shell is set up for.
export PYTHONUTF8 = 1
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH
# WSL has the machine's name in NAME: what is typed counts alone.
typed = $(if $(filter command,$(origin $1)),$($1))

.PHONY: help
help: ## this list
	@echo "make TARGET   (PLATFORMS=linux/amd64 narrows the platforms, QUICK=1 leaves out builds that take many minutes,"
	@echo "               ENGINE=host|lab forces an engine, BUILDER=name a builder, ENVIRONMENT=name a folder of results/)"
	@awk -F ':[^:]*## ' '/^[a-zA-Z0-9_%-]+( [a-zA-Z0-9_%-]+)*:.*## / { sub(/%/, "N", $$1); printf "  %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

step-%: .venv/.run FORCE ## build, weigh and record each variant of a step, start the recommended one, print the table
	@$(RUN) measure step $@

extra-%: .venv/.run FORCE ## the same for an extra, say extra-compiling-deps
	@$(RUN) measure step $@

.PHONY: all
all: .venv/.run ## every step and extra, with one summary; goes on after a failure, and after Ctrl-C where it was
	@$(RUN) measure all

.PHONY: record
record: .venv/.run ## the same with all timings, natively, in one sitting; wheels and recipes are commands of their own
	@$(RUN) measure record

folklore-%: .venv/.run FORCE ## the same for an experiment below folklore/, say folklore-apt-lists
	@$(RUN) measure step $@

time-%: .venv/.run FORCE ## time what pages compare of a step's variants, natively and in turns: make time-step-2 (VARIANT= records one alone)
	@$(RUN) measure time $*$(if $(VARIANT), --variant $(VARIANT))

floor-%: .venv/.run FORCE ## which files a step's recommended image looks at, and how small it could be: make floor-step-4
	@$(RUN) measure floor $*

run-%: .venv/.run FORCE ## docker compose up for a step, in the foreground: make run-step-1
	@$(RUN) measure run $*

.PHONY: wheels
wheels: .venv/.run ## ask which wheels packages have today, and record it: make wheels, or PACKAGES='lxml pillow'
	@$(RUN) measure wheels $(PACKAGES)

.PHONY: second-platform
second-platform: .venv/.run ## what of your list of requirements depends on the processor, or has no wheel for one: LIST=requirements.txt
	@$(RUN) measure second-platform "$(or $(LIST),requirements.txt)"

.PHONY: recipes
recipes: .venv/.run ## prove which apt packages building from source takes: make recipes, or NAME=psycopg2 for that one
	@$(RUN) measure recipes $(call typed,NAME)

.PHONY: sameness
sameness: .venv/.run ## compare images built without emulation with emulated ones, file by file, and record it
	@$(RUN) measure sameness

.PHONY: shipping
shipping: .venv/.run ## push each way to ship an image, count what is sent, pull and start it, and record it; the lab alone can
	@$(RUN) measure shipping

.PHONY: fleet
fleet: .venv/.run ## push and pull fleets of services on each base, and record what they weigh: make fleet, or NAME=full for one
	@$(RUN) measure fleet $(call typed,NAME)

.PHONY: builders
builders: .venv/.run ## try Dockerfiles with podman, and with Docker without buildx: make builders, or STEP=step-3 for that one
	@$(RUN) measure builders $(STEP)

.PHONY: steps
steps: .venv/.run ## the steps, and what each variant teaches
	@$(RUN) measure steps

.PHONY: check
check: .venv/.run ## the records that are stale, missing or orphaned, without an engine; fails when there are any
	@$(RUN) measure check

.PHONY: verify
verify: .venv/.run ## build anew what a record describes, with nothing cached, and compare: RECORD=results/…/slim.linux-amd64.json
	@$(RUN) measure verify "$(RECORD)"

show-%: .venv/.run FORCE ## what is recorded of a step, or of one variant: make show-step-1 VARIANT=slim
	@$(RUN) measure show $*$(if $(VARIANT),/$(VARIANT))

.PHONY: diff
diff: .venv/.run ## what grew between two records: make diff A=step-1/recommended B=step-1/full
	@$(RUN) measure diff $(A) $(B)

.PHONY: schema
schema: .venv/.run ## after a change in the records' models: write their JSON Schemas anew
	@$(RUN) measure schema

.PHONY: mine
mine: .venv/.run ## what each line of your own Dockerfile costs: make mine DIR=path, an archive or a folder (ARGS="--build", "--start", "--time", "--try 1" …)
	@$(RUN) measure mine "$(or $(DIR),.)" $(ARGS)

.PHONY: exercise hint solution
exercise hint solution: .venv/.run ## the workshop: check what you have (WATCH=1: on each save), a hint, a solution; exercise-3 for that one
	@$(RUN) measure $@ || [ $$? -eq 3 ]  # 3: not all goals hold, which make need not complain of

exercise-% hint-% solution-%: .venv/.run FORCE
	@$(RUN) measure $(subst -, ,$@) || [ $$? -eq 3 ]

.PHONY: exercises
exercises: .venv/.run ## the workshop's exercises: done, now, to come
	@$(RUN) measure exercises

.PHONY: golf
golf: .venv/.run ## the smallest image that behaves: your Dockerfile, as a multiple of the floor
	@$(RUN) measure golf || [ $$? -eq 3 ]

.PHONY: workshop-check
workshop-check: .venv/.run ## is this machine ready for the workshop?
	@$(RUN) measure workshop-check

.PHONY: kit
kit: .venv/.docs docs ## one archive with all that the workshop needs without a network (CHAPTERS=1-3, DOCKER=1: without an engine, KIT=path)
	@$(RUN) kit make

.PHONY: docs
docs: .venv/.docs ## build the site into site/, strictly; needs neither an engine nor a network
	@$(RUN) measure docs

.PHONY: serve
serve: .venv/.docs ## the site on http://localhost:8000, reloaded when a page or a record changes (PORT=8009 for another)
	@$(RUN) measure serve

.PHONY: readme
readme: .venv/.docs ## make the tables in README.md and the steps' README.md anew
	@$(RUN) measure readme

.PHONY: engine
engine: .venv/.run ## which Docker engine and builder would be used here
	@$(RUN) measure engine

.PHONY: test
test: .venv/.tests ## what protects you, and what CI runs: lint, unit tests, recommended images, site, four pages in a browser
	@$(RUN) tests test

.PHONY: test-fast
test-fast: .venv/.tests ## lint and the tests that need no image
	@$(RUN) tests test-fast

.PHONY: test-all
test-all: .venv/.tests ## everything, for hours; records what passed, failed and was skipped, and the seconds, in results/
	@$(RUN) tests test-all

.PHONY: bench
bench: .venv/.run ## time the lab and make step-1, and record it; deletes the lab's cache first and builds it anew
	@$(RUN) measure bench

.PHONY: bench-first
bench-first: .venv/.run ## time what a new user waits for, make step-1 from nothing, at an older commit and here: AGAINST=983039b
	@$(RUN) measure bench --against "$(or $(AGAINST),983039b)"

.PHONY: bench-mine
bench-mine: .venv/.run ## time a report on an image in a file, beside gzip -dc of its layers, and record it; some minutes
	@$(RUN) measure bench --mine

.PHONY: bench-workshop
bench-workshop: .venv/.run ## time what an exercise answers after a save, and record it; some minutes
	@$(RUN) measure bench --workshop

.PHONY: bench-ladder
bench-ladder: .venv/.run ## time make all, from an empty builder's cache and unchanged, and record it; an hour or two
	@$(RUN) measure bench --ladder

.PHONY: bench-kit
bench-kit: .venv/.docs docs ## make offline kits, install one with the network cut, solve exercises, and record it; some minutes
	@$(RUN) kit record

.PHONY: lab-up
lab-up: .venv/.run ## bring up the lab: engine, registry, package-index cache (Debian, root)
	@$(RUN) lab up

.PHONY: lab-down
lab-down: .venv/.run ## stop the lab; its cache stays
	@$(RUN) lab down

.PHONY: lab-status
lab-status: .venv/.run ## what of the lab runs, where, and the size of its cache
	@$(RUN) lab status

.PHONY: lab-env
lab-env: .venv/.run ## what a shell must set to use the lab; its own output says how to take it over
	@$(RUN) lab env

.PHONY: lab-fidelity
lab-fidelity: .venv/.run ## the lab's base images against the official ones
	@$(RUN) measure fidelity

.PHONY: lab-clean
lab-clean: .venv/.run ## stop the lab and delete all of it: the host is as it was
	@$(RUN) measure clean && $(RUN) lab clean

.PHONY: clean
clean: .venv/.run ## remove what make step-N left: containers, images, builder, exported layers; records stay
	@$(RUN) measure clean

.PHONY: lock
lock: ## after a change in pyproject.toml: lock anew, export the three requirements.txt (needs Poetry and its export plugin)
	@poetry lock && poetry export --output requirements.txt && poetry export --with docs --output docs/requirements.txt && \
	  poetry export --with docs,dev --output tests/requirements.txt

# What a run needs, with the site's tools, with the tests' too: each adds to .venv what the one before it has not.
.venv/.run: requirements.txt
.venv/.docs: docs/requirements.txt .venv/.run
.venv/.tests: tests/requirements.txt .venv/.docs
# Its Python may be gone since, or be another version, as after an upgrade of the system: then all of it is installed anew.
ifneq ($(wildcard .venv/.run),)
  looked := import glob, sys; glob.glob(".venv/lib/python%d.%d*/site-packages/typer" % sys.version_info[:2])[0]
  ifneq ($(shell .venv/bin/python -ISc '$(looked)' 2> /dev/null && echo whole),whole)
    .venv/.run .venv/.docs .venv/.tests: FORCE
  endif
endif
.venv/.run .venv/.docs .venv/.tests:
	@bash measure/install.sh "$(PYTHON)" $< && touch $@

.PHONY: FORCE
FORCE:
