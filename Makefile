# Rekindle. `make help` says what there is. Everything runs from the checkout's root with relative paths, so that a
# path with spaces does no harm.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# --- What can be changed from outside: make bench BENCH=Scan -----------------------------------------------------------
ARGS        ?=
PKG         ?= ./...
RUN         ?=
TESTFLAGS   ?=
TESTTIMEOUT ?= 40m
BENCH       ?=
BENCHTIME   ?= 1s
BENCH_KEYS    ?= 1000000
BENCH_ROUNDS  ?= 3
BENCH_PROFILE ?=
BENCH_JOURNAL ?= 5m
FUZZ        ?= .
ROUNDS      ?= 200
SEED        ?=
FUZZTIME    ?= 30s
MUTANTS     ?= .
MUTANTJOBS  ?= 2
S3SERVERS   ?=
ENGINES     ?=
SCREENSHOTS ?= screenshots
BROWSERTEST ?= Browser
IMAGE       ?= rekindle
VERSION     ?= $(shell bash tools/version.sh)

# --- How Go is called --------------------------------------------------------------------------------------------------
# Flags of the environment (or of `go env -w`) stay, but those that choose another module graph.
GOENVFLAGS := $(shell go env GOFLAGS 2>/dev/null)
export GOFLAGS := $(strip $(filter-out -mod=% --mod=% -modfile=% --modfile=%,$(GOENVFLAGS)) -mod=readonly)
export GOWORK := off
export CGO_ENABLED := 1

# The tools have a module of their own, so that none of them ends up in the program's.
TOOL    := go tool -modfile=tools/go.mod
FOLDERS := $(wildcard cmd web views models jobs static internal tools)
BUILD   := go build -trimpath -buildvcs=false -ldflags "-X main.version=$(VERSION)"

# --- Everyday ----------------------------------------------------------------------------------------------------------
.PHONY: help run build setup setup-test engines test
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} \
	  /^# --- / {t = $$0; gsub(/^# --- | -+$$/, "", t)} \
	  /^[a-z-]+:.*## / {if (t != "") {printf "\n%s\n", t; t = ""} printf "  %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: setup build ## set up what is missing, build, serve on http://127.0.0.1:8080 (ARGS="--listen ...")
	@REKINDLE_ENGINES="$${REKINDLE_ENGINES:-$(wildcard .cache/engines)}" exec bin/rekindle serve $(ARGS)

build: ## build bin/rekindle
	$(BUILD) -o bin/rekindle ./cmd/rekindle

setup: ## install what running needs and is missing (redis-server, memcached)
	@bash tools/setup.sh run

setup-test: ## the same, and what the tests need (chromium, fonts, an S3 server, PostgreSQL, older and newer engines)
	@bash tools/setup.sh test

engines: ## fetch Redis 6.0, 7.0, 8.0 and Valkey 8.0, 8.1, 9.1 into .cache/engines, where make run and the tests find them (ENGINES="valkey-9.1")
	@bash tools/engines.sh $(ENGINES)

# One after the other, also under -j, and the first failure ends it.
STEPS := check-fmt check-vet check-staticcheck check-arrows check-generate check-tidy check-figures go-test
test: setup-test ## every check there is, and every test, with the race detector
	@for step in $(STEPS); do \
	  $(MAKE) --no-print-directory $$step || { printf '\nmake test: FAILED at %s. Again, only this step: make %s\n' $$step $$step >&2; exit 1; }; \
	done; \
	printf '\nmake test: everything passed; %s\n' "$$(bin/tally -sum bin/skipped)"

# --- The steps of `make test` ------------------------------------------------------------------------------------------
.PHONY: lint check-fmt check-vet check-staticcheck check-arrows check-generate check-tidy check-figures go-test
lint: check-fmt check-vet check-staticcheck check-arrows check-generate check-tidy check-figures ## all steps but the tests

check-fmt: ## gofmt would change nothing
	@echo '==> gofmt'
	@out=$$(gofmt -l -s $(FOLDERS)); \
	if [ -n "$$out" ]; then printf 'Not formatted (make fmt does it):\n%s\n' "$$out" >&2; exit 1; fi

check-vet: ## go vet
	@echo '==> go vet'
	@go vet ./...
	@go -C tools vet ./...

check-staticcheck: ## staticcheck (staticcheck.conf)
	@echo '==> staticcheck'
	@$(TOOL) staticcheck ./...
	@go -C tools tool staticcheck ./...

check-arrows: ## who may import whom (tools/arrows/depguard.yaml), and a proof that each rule bites
	@echo '==> import arrows'
	@go -C tools test ./...
	@go -C tools tool arrows ..

check-generate: ## templ generate would change nothing
	@echo '==> templ generate changes nothing'
	@bash tools/check-generate.sh

check-tidy: ## go.mod and go.sum are tidy
	@echo '==> go mod tidy changes nothing'
	@bash tools/check-tidy.sh

check-figures: ## the README's figures of speed are those of docs/benchmarks.md
	@echo '==> figures'
	@bash tools/figures.sh check

# Loops of arithmetic in libraries share nothing, and are several times slower when each access is watched.
UNWATCHED := $(foreach p,hash/crc64 github.com/klauspost/compress/...,'-gcflags=$(p)=-race=false')
# A program with the race detector sleeps for a second before it ends, unless told otherwise. Collecting garbage less often takes less time.
# What vet finds, check-vet has found.
GOTEST = TMPDIR=$$(bash tools/memory-folder.sh) GORACE="$${GORACE:-atexit_sleep_ms=0}" GOGC="$${GOGC:-400}" go test -race -vet=off $(UNWATCHED) -json -timeout $(TESTTIMEOUT) $(if $(RUN),-run '$(RUN)') $(TESTFLAGS)
TALLY  = bin/tally $(if $(filter -v -test.v,$(TESTFLAGS)),-v) -to bin/skipped

go-test: ## go test -race, the browser test included, and what was skipped (PKG=./jobs RUN=TestDue TESTFLAGS=-v)
	@mkdir -p bin; rm -f bin/skipped; touch bin/skipped
	@go -C tools build -o ../bin/tally ./tally
	@echo '==> go test -race'
	@$(GOTEST) $(PKG) | $(TALLY)
ifneq ($(filter ./... ./models/... ./models/catalog,$(PKG)),)
	@echo '==> go test -race, with the catalogs in PostgreSQL'
	@REKINDLE_TEST_CATALOG=postgres $(GOTEST) ./models/catalog | $(TALLY)
endif
	@bin/tally -sum bin/skipped

# --- Now and then ------------------------------------------------------------------------------------------------------
.PHONY: fmt generate tidy bench bench-journal fuzz soak mutants test-s3 test-engines test-deb cover screenshots image deb release clean
fmt: ## format Go and templ files
	gofmt -w -s $(FOLDERS)
	$(TOOL) templ fmt $(FOLDERS)

generate: ## write *_templ.go anew from *.templ
	$(TOOL) templ generate

# Of journals alone, with the product as it is built: make bench-journal BENCH_JOURNAL=30s
bench-journal: build ## what keeping a journal costs: five minutes beside a saturated source, and more (BENCH_JOURNAL=30s)
	@go test -c -o bin/bench.test ./cmd/rekindle
	@TMPDIR=$$(bash tools/memory-folder.sh) \
	  REKINDLE_BENCH_JOURNAL="$${REKINDLE_BENCH_JOURNAL:-$(BENCH_JOURNAL)}" REKINDLE_BENCH_BINARY="$$PWD/bin/rekindle" REKINDLE_BENCH_JOURNAL_OUTPUT="$$PWD/bin/journal.md" \
	  REKINDLE_TEST_BINARY="$$PWD/bin/rekindle" \
	  bin/bench.test -test.run '^$$' -test.bench '^BenchmarkJournal$$' -test.benchtime 1x -test.timeout 2h >bin/journal.log || { cat bin/journal.log >&2; exit 1; }
	@cat bin/journal.md

# Everything of it lies in memory where there is a tmpfs, so that the disk is not what is measured.
bench: ## the product beside Redis's own ways (BENCH_KEYS=4000000 BENCH_PROFILE=bin/cpu.perf), or parts of it (PKG=./internal/rdb BENCH=Scan)
ifeq ($(BENCH)$(filter command line environment,$(origin PKG)),)
	@$(MAKE) --no-print-directory build
	@go test -c -o bin/bench.test ./cmd/rekindle
	@TMPDIR=$$(bash tools/memory-folder.sh) \
	  REKINDLE_BENCH_KEYS='$(BENCH_KEYS)' REKINDLE_BENCH_ROUNDS='$(BENCH_ROUNDS)' REKINDLE_BENCH_BINARY="$$PWD/bin/rekindle" \
	  REKINDLE_BENCH_OUTPUT="$$PWD/bin/bench.md" REKINDLE_BENCH_PROFILE='$(if $(BENCH_PROFILE),$(abspath $(BENCH_PROFILE)))' \
	  bin/bench.test -test.run '^$$' -test.bench '^BenchmarkProduct$$' -test.benchtime 1x -test.timeout 2h >bin/bench.log || { cat bin/bench.log >&2; exit 1; }
	@cat bin/bench.md
	@TMPDIR=$$(bash tools/memory-folder.sh) go test -run '^$$' -bench '^Benchmark(Contents|FilterOfPart)$$' -benchtime 20x ./internal/archive
	@TMPDIR=$$(bash tools/memory-folder.sh) go test -run '^$$' -bench '^BenchmarkFind$$' -benchtime 1x ./jobs
	@TMPDIR=$$(bash tools/memory-folder.sh) go test -run '^$$' -bench '^BenchmarkReplay$$' -benchtime 1x ./internal/primary
	@TMPDIR=$$(bash tools/memory-folder.sh) go test -run '^$$' -bench '^BenchmarkLargeJournal$$' -benchtime 3x ./models/catalog
	@$(MAKE) --no-print-directory bench-journal
else
	go test -run '^$$' -bench '$(or $(BENCH),.)' -benchtime $(BENCHTIME) -benchmem $(TESTFLAGS) $(PKG)
endif

fuzz: ## each fuzz target for FUZZTIME=30s (FUZZ=FuzzManifest for some)
	@bash tools/fuzz.sh '$(FUZZ)' '$(FUZZTIME)'

SOAKTESTS := TestTheJournalGoesOnInAnotherConsole|TestEveryMomentIsRecoveredAsItWas|TestConsoleKilledAtAnyInstantLosesNothing|TestTwoConsolesOnOneCatalogLoseNothing|TestConsoleKilledWhileItMovesSnapshots|TestARequestActsOnceAlsoWhenTheConsoleIsKilledInItsMiddle|TestTheCatalogsScheduleOverSimulatedYears|TestYearsOfSchedulesMissAndDoubleNothing|TestVerifyDueForgetsNoneAndDoublesNone|TestManySnapshotsAreRebuilt|TestSnapshotsUnderLoadAreOfOneMoment|TestAHeldNodeIsTheServerAsItWasAtThatMoment
soak: setup-test ## kill the console at any instant and simulate years of schedules, for a long time (ROUNDS=200 SEED=1)
	@mkdir -p bin; status=0; \
	REKINDLE_SOAK_ROUNDS='$(ROUNDS)' REKINDLE_SOAK_SEED='$(SEED)' TMPDIR=$$(bash tools/memory-folder.sh) \
	  go test -count=1 -timeout 6h -parallel 1 -v -run '^($(SOAKTESTS))$$' ./cmd/rekindle ./models ./models/catalog ./jobs ./internal/primary | tee bin/soak.log || status=$$?; \
	awk -v rounds='$(ROUNDS)' '/^--- PASS/ {passed++} /^--- FAIL/ {failed++} /: seed [0-9]+$$/ {seeds = seeds " " $$NF} \
	  END {printf "make soak: %d rounds each, %d tests passed, %d failed; seeds%s\n", rounds, passed, failed, seeds}' bin/soak.log; \
	exit $$status

mutants: ## plant mistakes in a copy, one at a time, and see which the tests notice (MUTANTS=pattern MUTANTJOBS=2)
	@go -C tools run ./mutants -root .. -only '$(MUTANTS)' -jobs '$(MUTANTJOBS)'

test-s3: setup-test ## the store and the product against other S3 servers, with a table of what came out (S3SERVERS="minio rclone")
	@bash tools/test-s3.sh $(S3SERVERS)

TESTENGINES ?= redis-6.0 redis-8.0 valkey-8.1 valkey-9.1
test-engines: setup-test ## the tests that have servers, with other ones in the place of this host's Redis (TESTENGINES="valkey-9.1" PKG=./jobs)
	@status=0; for engine in $(TESTENGINES); do \
	  echo "==> go test with $$engine"; \
	  REKINDLE_TEST_ENGINE=$$engine TMPDIR=$$(bash tools/memory-folder.sh) go test -timeout $(TESTTIMEOUT) $(if $(RUN),-run '$(RUN)') $(TESTFLAGS) \
	    $(if $(filter ./...,$(PKG)),./internal/... ./jobs/...,$(PKG)) || status=1; \
	done; exit $$status

cover: ## test coverage: bin/cover.html
	@mkdir -p bin
	go test -timeout $(TESTTIMEOUT) -coverpkg=./... -coverprofile=bin/cover.all $(TESTFLAGS) $(PKG)
	@grep -v '_templ\.go:' bin/cover.all > bin/cover.out
	@go tool cover -html=bin/cover.out -o bin/cover.html
	@go tool cover -func=bin/cover.out | tail -1

screenshots: setup-test ## the browser test, with a picture of each page in SCREENSHOTS=screenshots
	@mkdir -p '$(SCREENSHOTS)'
	@dir=$$(cd '$(SCREENSHOTS)' && pwd); \
	REKINDLE_SCREENSHOTS="$$dir" go test -count=1 -timeout $(TESTTIMEOUT) -run '$(BROWSERTEST)' $(TESTFLAGS) $(PKG); \
	pictures=$$(find "$$dir" -name '*.png' | wc -l); \
	[ "$$pictures" -gt 0 ] || { echo "No picture was taken: does a test match BROWSERTEST=$(BROWSERTEST)?" >&2; exit 1; }; \
	echo "$$pictures pictures in $$dir"

# --- What is handed out ------------------------------------------------------------------------------------------------
ARCH ?= $(shell go env GOHOSTARCH)
deb: ## a Debian package in dist/ (ARCH=arm64 for another architecture)
	@bash tools/setup.sh release $(ARCH)
	@bash tools/release.sh deb '$(VERSION)' $(ARCH)

release: ## everything of a release in dist/: linux amd64 and arm64, packages, a list of modules, checksums
	@bash tools/setup.sh release amd64 arm64
	@bash tools/release.sh all '$(VERSION)' amd64 arm64

test-deb: ## the package in a clean Debian that boots its own systemd: installed, used, upgraded, removed (as root)
	@bash tools/setup.sh test-deb
	@bash tools/test-deb.sh

image: ## container image rekindle:VERSION and rekindle:latest (IMAGE=name)
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE):$(VERSION) -t $(IMAGE):latest .

clean: ## remove what was built (never ./data)
	rm -rf bin dist '$(SCREENSHOTS)'
