# The menu. `make` alone prints it; every target says what it is for after the two hashes.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN      := bin/tidemark
DATA     ?= ./data
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -X main.version=$(VERSION)
TOOL     := go tool -modfile=scripts/tools/go.mod
# Packages are tested two at a time: each starts servers of its own, and the smallest machine has two cores.
P        ?= 2
PKGS     ?= ./...
TESTFLAGS ?=
RACE_PKGS ?= ./events/... ./internal/... ./projections/... ./services/...
FUZZTIME ?= 10s
ROUNDS   ?= 1000
BENCH    ?=
# One PostgreSQL for all test binaries of a run.
WITH_PG  := go run ./scripts/with-postgres
# What the tests in a browser take from npm: nothing that is built has any of it.
AXE      := scripts/tools/node_modules/axe-core/axe.min.js

.PHONY: help build up cluster axe engines test check fmt lint race fuzz bench soak gen generate-clean clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: ## bin/tidemark
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/tidemark

up: build ## build, and run everything on this machine in ./data (DATA=DIR for another place)
	$(BIN) serve --data $(DATA)

cluster: build ## a real cluster on this machine: three nats-servers, PostgreSQL, OpenSearch, one process per target
	go run ./scripts/cluster $(if $(ENGINE),--engine $(ENGINE))

axe: $(AXE) ## the checks of accessibility that the widget's tests need, by npm, as the lock has them

$(AXE): scripts/tools/package-lock.json
	npm ci --prefix scripts/tools
	touch $@

engines: ## Elasticsearch and OpenSearch for the tests, by Maven, once
	scripts/search-engine fetch elasticsearch
	scripts/search-engine fetch opensearch

test: axe ## every test (PKGS=./events/..., TESTFLAGS=-short)
	$(WITH_PG) go test $(PKGS) -p $(P) -timeout 14m $(TESTFLAGS)

check: fmt lint generate-clean ## what must be clean: format, lint, generated code, vet, build
	go vet ./...
	go build ./...

fmt: ## show what the formatter would change (golangci-lint fmt changes it)
	$(TOOL) golangci-lint fmt --diff

lint: ## the linter, import rule included
	$(TOOL) golangci-lint run ./...

generate-clean: ## fail when generated code is stale
	scripts/generate-clean

race: axe ## the tests under the race detector (RACE_PKGS=...)
	$(WITH_PG) go test -race $(RACE_PKGS) -p $(P) -timeout 30m $(TESTFLAGS)

fuzz: ## each fuzz target for FUZZTIME=10s
	scripts/fuzz $(FUZZTIME)

bench: build ## what is promised of speed and memory, beside the raw limits (BENCH="accept --seconds 5 --json")
	$(BIN) bench $(BENCH)

soak: ## kill -9 under load, ROUNDS=1000 times (search engines: a hundredth), and rebuild search of 100 × ROUNDS conversations
	TIDEMARK_CRASH_ROUNDS=$(ROUNDS) go test ./cmd/tidemark -run '^TestCrashRounds$$' -count 1 -timeout 0 -v
	TIDEMARK_CRASH_ROUNDS=$(ROUNDS) go test ./cmd/tidemark -run '^TestClientsMoveBetweenProcesses$$' -count 1 -timeout 0 -v
	TIDEMARK_SEARCH_ROUNDS=$$(( ($(ROUNDS) + 99) / 100 )) go test ./services/searchindexer -run '^TestFailures$$' -count 1 -timeout 0 -v
	TIDEMARK_TEST_PATIENCE=1h TIDEMARK_SEARCH_CONVERSATIONS=$$(( $(ROUNDS) * 100 )) go test ./cmd/tidemark -run '^TestSearchIsRebuilt$$' -count 1 -timeout 0 -v

gen: ## regenerate: sqlc, and every go:generate
	for config in $$(git ls-files --cached --others --exclude-standard '*sqlc.yaml'); do $(TOOL) sqlc generate -f "$$config"; done
	go generate ./...

clean: ## remove what was built (never data)
	rm -rf bin
