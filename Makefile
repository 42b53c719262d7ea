# The first two things to do: make demo, make test. Both do all their set-up.

GO      ?= go
BIN     := bin
PLUGINS := connectors
NPM     := e2e/peers sdk/examples/node
TRIM    := -trimpath
# Tables for debuggers take a third of the time to link, and vet ran before.
RACE    := -race -vet=off -ldflags=-w
# Compression is several times slower when watched, and the pointers of SQLite, C
# translated to Go, are when checked; neither is ours. SQLite stays watched: a generic
# function that it shares with others might be linked from there, and what it orders be
# missed.
RACE    += -gcflags='modernc.org/...=-d=checkptr=0' -gcflags='compress/flate=-race=false'
# A watched process waits for a second before it ends, if not told otherwise.
export GORACE ?= atexit_sleep_ms=50
export CGO_ENABLED ?= 0

.PHONY: build server demo demo-check test fast chaos bench soak flows fuzz generate setup peers clean

build: server ## the server and the first-party connectors
	$(GO) build $(TRIM) -o $(PLUGINS)/ $$(printf './%s ' plugins/connectors/*/anteroom-connector-*)

server: ## the server and the connector that the demo needs
	$(GO) build $(TRIM) -o $(BIN)/anteroom .
	@mkdir -p $(PLUGINS) && chmod 755 $(PLUGINS)
	$(GO) build $(TRIM) -o $(PLUGINS)/ ./plugins/connectors/scim2/anteroom-connector-scim2

demo: server ## Anteroom, an example application and a directory, on loopback
	$(BIN)/anteroom demo --connectors $(PLUGINS)

demo-check: server ## the demo's walk, headless, over real HTTP
	$(BIN)/anteroom demo --check --connectors $(PLUGINS)

test: TRIM := # as vet and the tests build: what they compile serves all
test: setup peers build ## everything: a test that lacks its server fails
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'gofmt:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	CI=true CGO_ENABLED=1 $(GO) test $(RACE) -timeout 20m ./...
	@CI=true CGO_ENABLED=1 $(GO) test $(RACE) -v -run '^TestConformance$$' ./provisioning/rules/xacml | grep 'mandatory cases pass'

fast: ## what needs no server
	$(GO) test ./...

chaos: ## ten minutes of killed servers, connectors and backends and of misbehaving directories, then three mutants
	CI=true ANTEROOM_CHAOS=$${ANTEROOM_CHAOS:-10m} $(GO) test -count 1 -timeout 2h -v -run TestChaos ./e2e

bench: ## the figures of docs/performance.md, in one run
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 2000x ./provisioning/runner
	$(GO) test -run '^$$' -bench 'CodeFlow|Refresh' -benchmem -benchtime 1000x ./authserver/op
	$(GO) test -run '^$$' -bench RuledGate -benchmem -benchtime 2000x ./authserver/daemon
	$(GO) test -run '^$$' -bench Call -benchtime 20000x ./plugins
	$(GO) test -run '^$$' -bench 'Start|Restart|IdleMemory' -benchtime 50x ./plugins

soak: ## 2,000 killed connectors and 1,000,000 calls: nothing may grow
	CI=true ANTEROOM_SOAK_RESTARTS=$${ANTEROOM_SOAK_RESTARTS:-2000} ANTEROOM_SOAK_CALLS=$${ANTEROOM_SOAK_CALLS:-1000000} \
		$(GO) test -count 1 -timeout 2h -v -run TestSoak ./plugins

flows: ## 10,000 flows and as many sign-ins of which half or more break off: housekeeping leaves no row
	CI=true ANTEROOM_FLOWS=$${ANTEROOM_FLOWS:-10000} $(GO) test -count 1 -timeout 1h -v -run 'TestBroken(Flows|SignIns)LeaveNothing' ./authserver/op ./authserver/flow

fuzz: ## each fuzz target for ten seconds
	.ci/fuzz 10s

generate: ## regenerates the connector protocol; needs protoc
	$(GO) generate ./sdk/...

setup: ## Debian packages the tests need
	.ci/setup

peers: $(NPM:%=%/node_modules/.package-lock.json) ## servers, clients and the Node connector's packages, from npm

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

clean:
	rm -rf $(BIN) $(PLUGINS) $(NPM:%=%/node_modules) .demo
