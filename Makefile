# ferry's tasks. `make` lists them. Nothing here needs more than Go, git and make,
# but for the checks with Slack's and GitHub's own libraries, which need Node.

GO       ?= go
CHECKS   := playground/check
BIN      := bin
FUZZTIME ?= 10s
BENCH    ?= .
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
RUNS     ?= 200
SEED     ?= 1
MODE     ?= kill
EVENTS   ?= 10000
KILLS    ?= 20
WORLDS   ?= 2
REPOS    ?=
ORACLE   ?=
FLEET    ?= demo
KUBEWATCH ?=
FROM     ?=
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
BUILD    := $(GO) build -ldflags '$(LDFLAGS)'
TOOL     := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
LINT     := $(TOOL) golangci-lint
BOTKUBE  := v1.14.0
WATCHED  := v2.15.0 f73aa0b7c4f13d0ede7744f1bdac60bd3274ddb6 # kubewatch's tag, and its commit

# The same flags for building and testing, so that they share what is compiled,
# in whichever folder the clone is.
export GOFLAGS := $(strip -trimpath -buildvcs=false $(GOFLAGS))

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: plugins ## build bin/ferry, bin/playground and the plugins in bin/plugins

.PHONY: binaries
binaries:
	@mkdir -p $(BIN)
	$(BUILD) -o $(BIN)/ferry .
	$(BUILD) -o $(BIN)/playground ./playground

# kubectl's version is that of the library which is compiled in.
KUBECTL := $(shell sed -n 's,.*k8s.io/kubectl v0,v1,p' plugins/kubectl/go.mod)

.PHONY: plugins
plugins: binaries ## build the shipped plugins and their index (minutes for the first time: kubectl's library)
	@mkdir -p $(BIN)/plugins
	$(BUILD) -o $(BIN)/plugins/echo ./plugins/echo
	$(GO) build -C plugins/kubectl -ldflags '-s -w $(LDFLAGS) -X k8s.io/component-base/version.gitVersion=$(KUBECTL)' -o $(CURDIR)/$(BIN)/plugins/kubectl .
	$(GO) build -C plugins/flux -ldflags '-s -w $(LDFLAGS)' -o $(CURDIR)/$(BIN)/plugins/flux-executor . # flux is the source
	$(GO) build -C plugins/sources -ldflags '-s -w $(LDFLAGS)' -o $(CURDIR)/$(BIN)/plugins/ ./cmd/...
	$(GO) build -C plugins/notifiers -ldflags '-s -w $(LDFLAGS)' -o $(CURDIR)/$(BIN)/plugins/ ./cmd/... # webhook is the source
	$(BIN)/ferry plugin index $(BIN)/plugins

.PHONY: test-kubectl
test-kubectl: ## run the tests of the kubectl executor, which is a module of its own
	$(GO) test -C plugins/kubectl ./...

.PHONY: test-flux
test-flux: ## run the tests of the flux executor, which is a module of its own
	$(GO) test -C plugins/flux ./...

.PHONY: test-sources
test-sources: ## run the tests of the shipped sources, which are a module of their own
	$(GO) test -C plugins/sources ./...

.PHONY: test-notifiers
test-notifiers: ## run the tests of the shipped notifiers, which are a module of their own
	$(GO) test -C plugins/notifiers ./...

.PHONY: test-botkube
test-botkube: ## run Botkube's own plugins, unmodified, built from their module (minutes for the first time)
	@GO=$(GO) tools/botkube.sh $(BOTKUBE) $(BIN)/botkube
	$(GO) build -C plugins/kubectl -ldflags '-s -w' -o $(CURDIR)/$(BIN)/botkube/executor_kubectl_deps/kubectl ./trial/kubectl
	FERRY_BOTKUBE_PLUGINS=$(CURDIR)/$(BIN)/botkube $(GO) test -count=1 -v -run '^TestUnmodified' ./plugins/botkube

.PHONY: demo
demo: binaries ## try ferry here: a local Slack, a local GitHub, simulated clusters; FLEET=refusals for what it refuses
	@exec $(BIN)/playground -ferry $(BIN)/ferry -fleet $(FLEET)

.PHONY: test
test: ## run the tests
	$(GO) test ./...
	$(GO) test -C plugins/api ./...

.PHONY: race
race: ## run the tests with the race detector (needs a C compiler)
	$(GO) test -race ./...
	$(GO) test -C plugins/api -race ./...
	$(GO) test -C plugins/sources -race ./...
	$(GO) test -C plugins/notifiers -race ./...
	$(GO) test -C plugins/flux -race ./...

.PHONY: lint
lint: ## run the linters of .golangci.yml, on each module
	@tools/each.sh $(LINT) run -c $(CURDIR)/.golangci.yml ./...

.PHONY: fmt
fmt: ## format the code
	$(LINT) fmt ./...

.PHONY: vuln
vuln: ## look for known vulnerabilities in each module; says so if the database cannot be reached
	@tools/each.sh $(CURDIR)/tools/vuln.sh $(TOOL) govulncheck ./...

.PHONY: fuzz
fuzz: ## fuzz each fuzz test for FUZZTIME (10s)
	@set -e; grep -rl --include='*_test.go' --exclude-dir=node_modules --exclude-dir=e2e '^func Fuzz' . | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "fuzz $$name in $$(dirname "$$file")"; \
			$(GO) test -C "$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) . </dev/null; \
		done; \
	done

.PHONY: bench
bench: ## run the benchmarks of the packages that match BENCH (all)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: bench-alerts
bench-alerts: build ## measure what alerts cost on a real API server, beside kubewatch (minutes); KUBEWATCH=an executable of it
	$(GO) run -C e2e ./testbed/cmd/testbed build
	@peer='$(KUBEWATCH)'; [ -n "$$peer" ] || \
	if GO=$(GO) FROM='$(FROM)' tools/kubewatch.sh $(WATCHED) $(BIN)/kubewatch; then peer=$(CURDIR)/$(BIN)/kubewatch; else echo 'without kubewatch: ferry is measured alone'; fi; \
	FERRY_KUBEWATCH="$$peer" $(GO) test -C e2e -timeout 30m -run '^$$' -bench . -benchtime 1x ./cost

.PHONY: kubewatch
kubewatch: ## build bin/kubewatch to compare with; FROM=a clone of it, where GitHub cannot be reached
	@GO=$(GO) FROM='$(FROM)' tools/kubewatch.sh $(WATCHED) $(BIN)/kubewatch

.PHONY: e2e
e2e: binaries ## prove it on real clusters with a real Flux, built from modules (minutes for the first time)
	@GO=$(GO) tools/e2e.sh

.PHONY: chaos
chaos: ## kill ferry everywhere, or with MODE=worst let GitHub and Slack fail; RUNS=200 SEED=1
	@mkdir -p $(BIN)
	$(BUILD) -tags chaos -o $(BIN)/ferry-chaos .
	$(BUILD) -o $(BIN)/chaos ./playground/chaos
	@mkdir -p $(BIN)/chaos-plugins
	$(GO) build -C plugins/sources -o $(CURDIR)/$(BIN)/chaos-plugins/webhook ./cmd/webhook
	$(GO) build -C plugins/notifiers -o $(CURDIR)/$(BIN)/chaos-plugins/webhook-notifier ./cmd/webhook-notifier
	$(GO) build -C playground/testdata/works -o $(CURDIR)/$(BIN)/chaos-plugins/works .
	@$(BIN)/ferry-chaos plugin index $(BIN)/chaos-plugins
	@$(BIN)/chaos -ferry $(BIN)/ferry-chaos -plugins $(BIN)/chaos-plugins -effects docs/effects.md -mode $(MODE) -runs $(RUNS) -seed $(SEED) -worlds $(WORLDS)

.PHONY: chaos-real
chaos-real: ## the same on real clusters with a real Flux (minutes); RUNS=25 SEED=1
	$(GO) run -C e2e ./testbed/cmd/testbed build
	FERRY_CHAOS_RUNS=$(RUNS) FERRY_CHAOS_SEED=$(SEED) $(GO) test -C e2e -count=1 -timeout 60m -v -run '^TestKilledOnRealClusters$$' .

.PHONY: events-chaos
events-chaos: ## kill ferry, its plugins and API servers of real clusters while things happen; EVENTS=10000 KILLS=20 SEED=1
	$(GO) run -C e2e ./testbed/cmd/testbed build
	FERRY_EVENTS=$(EVENTS) FERRY_EVENTS_KILLS=$(KILLS) FERRY_EVENTS_SEED=$(SEED) $(GO) test -C e2e -count=1 -timeout 30m -v -run '^TestNoneLostNoneTwice$$' ./events

.PHONY: oracle
oracle: binaries ## judge ferry inventory by brute force; REPOS=folder of checkouts (owner+name) for real repositories
	$(GO) test -C e2e -count=1 ./oracle/... # the cache does not see files of another module
	$(GO) build -C e2e -o ../$(BIN)/oracle ./oracle/cmd/oracle
	@$(BIN)/oracle -ferry $(BIN)/ferry -pins -fixtures delivery/testdata/layouts -repos '$(REPOS)' $(ORACLE) 2>/dev/null

.PHONY: check-slack
check-slack: ## hold the local Slack against Slack's own SDK (needs Node 20)
	cd $(CHECKS)/slack && ./run.sh

.PHONY: check-github
check-github: ## hold the local GitHub against Octokit and GitHub's own description (needs Node 20)
	cd $(CHECKS)/github && ./run.sh

.PHONY: browser
browser: binaries ## try the playground's page in a real browser (needs Node 20 and Chromium)
	cd $(CHECKS)/browser && ./run.sh

.PHONY: screenshots
screenshots: binaries ## make the pictures of README and docs in docs/images (needs Node 20 and Chromium)
	cd $(CHECKS)/browser && SCREENSHOTS=$(CURDIR)/docs/images ./run.sh

.PHONY: docs
docs: ## write the generated parts of README and docs again
	$(GO) test ./docs -run TestGenerated -update

.PHONY: proto
proto: ## make Go of the plugins' contract again
	$(GO) run -C tools/proto . ../../plugins/api/wire plugin.proto
	$(GO) run -C tools/proto . ../../plugins/botkube/wire/executor executor.proto
	$(GO) run -C tools/proto . ../../plugins/botkube/wire/source source.proto

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) coverage.out
