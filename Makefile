# The tags that xcaddy builds with: they leave out storage drivers of Caddy's
# certificate authority that nothing here uses.
TAGS := nobadger,nomysql,nopgx

# How long a soak lasts.
SOAK := 30m

.PHONY: build demo demo-cluster test frameworks crash errors power cluster worlds fuzz lint vulnerabilities bench soak console release image xcaddy pictures

# Static, as what is released is: it runs on any Linux, and in an empty container.
build:
	CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags '-s -w' -o bin/caddy ./cmd/caddy

# Caddy for each of these platforms, each with an SBOM that is read from it (CycloneDX:
# the modules that it is built of, Go's own library included), and the checksums.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

release:
	rm -rf dist && mkdir dist
	set -e; for platform in $(PLATFORMS); do \
		GOOS=$${platform%/*} GOARCH=$${platform#*/}; export GOOS GOARCH; \
		name=dist/caddy-ccpayment-$$GOOS-$$GOARCH; [ $$GOOS = windows ] && name=$$name.exe; \
		CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags '-s -w' -o $$name ./cmd/caddy; \
	done
	set -e; for binary in dist/*; do \
		go tool -modfile=.ci/release/go.mod cyclonedx-gomod bin -json -std -output $$binary.cdx.json $$binary; \
	done
	cd dist && sha256sum * > SHA256SUMS

# The image of examples/docker, for Linux on this machine's processor or on GOARCH's.
# ENGINE is what builds it: docker, podman or buildah.
ENGINE := docker
IMAGE := caddy-ccpayment
CERTIFICATES := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
image:
	rm -rf bin/image && mkdir -p bin/image/data bin/image/config
	GOOS=linux CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags '-s -w' -o bin/image/caddy ./cmd/caddy
	cp $(CERTIFICATES) bin/image/ca-certificates.crt
	$(ENGINE) build $(if $(filter docker,$(ENGINE)),,--format docker) -t $(IMAGE) -f examples/docker/Dockerfile bin/image

# Starts Caddy with Caddyfile.example, a small shop behind it and the sandbox in the
# gateways' place, and plays the buyers.
demo: build
	go build -o bin/demo ./examples/shop/demo
	bin/demo --caddy bin/caddy

# Starts a PostgreSQL, three Caddys on it behind a fourth, and kills two of them while
# the buyers pay.
demo-cluster: build
	go build -o bin/demo ./examples/shop/demo
	bin/demo --caddy bin/caddy --cluster

# Installs what the tests need besides Go where it can (.ci/tools), and does without the
# race detector where there is no C compiler. The packages that take the longest begin
# first, four at once: they wait for most of their time. The time limit is far more than
# they take, also on a busy machine that has compiled nothing yet: the tests of ./test
# compile Caddy themselves, twice.
test:
	.ci/test -race -p 4 -timeout 60m -tags $(TAGS) . ./test ./store/postgres ./test/crash ./test/cluster ./internal/relay ./sandbox ./test/power ./...
	$(MAKE) worlds WORLDS=100

# Lets processes that share a ledger live through faults in virtual time: ledgers alone, in
# as many worlds of each of three kinds, and whole processes with a gateway, buyers, an app and
# operators, in as many of three. WORLD=<seed> go test -run TestWorlds ./ledger, or
# ./test/worlds, shows one.
WORLDS := 10000
worlds:
	WORLDS=$(WORLDS) go test -tags $(TAGS) -timeout 4h -count=1 -v -run '^TestWorlds$$' ./ledger ./test/worlds

# Runs the recipes of docs/frameworks.md, which names the packages, where their
# frameworks are installed. It installs nothing, and says what was left out.
frameworks: build
	CADDY=$(CURDIR)/bin/caddy INSTALL=no .ci/test -count 1 -timeout 20m -tags $(TAGS),frameworks ./examples/receivers

# Runs every fuzz target for FUZZTIME with FUZZPARALLEL workers, or one for each
# processor; FUZZ picks targets by a pattern of their names. The seeds alone are part of
# `make test`.
FUZZ := .
FUZZTIME := 1m
FUZZPARALLEL :=
fuzz:
	TAGS=$(TAGS) FUZZTIME=$(FUZZTIME) FUZZPARALLEL=$(FUZZPARALLEL) .ci/fuzz '$(FUZZ)'

# Kills Caddy a thousand times under load, in each way of handing over, with
# confirming and without, at each of two gateways; and as often while its disk, its clock,
# the app and the gateway's API are out of order. CRASH picks one of the two. PLOT is a folder for
# pictures of what was acknowledged and applied.
CRASH := TestKillsUnderLoad|TestStorm
PLOT :=
KILLS := 1000
crash:
	.ci/test -tags $(TAGS) -timeout 0 -v -run '$(CRASH)' ./test/crash -kills $(KILLS) -storm $(KILLS) -clock -plot '$(PLOT)'

# Plays a purchase with every two of its operations failing, on both stores; ERRORS=1m
# takes as many of them as that long has, in each way.
ERRORS := 0
errors:
	.ci/test -tags $(TAGS) -timeout 0 -count 1 -v -run '^TestEveryOperationFails$$' ./store/bolt ./store/postgres -errors $(ERRORS)

# Cuts the power at every sync of a Caddy under load and judges the ledger that is left, in
# each of four ways: all beginnings of what was written, each with a torn write behind it, and
# random parts, up to STATES if each sync had so many. About half of them have. Where STATES
# are fewer than the beginnings, it cuts at some of the syncs. Linux, with strace.
STATES := 50000
power:
	.ci/test -tags $(TAGS) -timeout 2h -v ./test/power -states $(STATES) -flow 100

# Has three Caddys share a ledger in PostgreSQL, and kills them and the database under
# load, in each way of handing over, with confirming and without, at each of two gateways.
# With RACE= neither the tests nor their Caddys have the race detector, and there are twice
# as many kills a minute.
DBKILLS := 100
RACE := -race
cluster:
	.ci/test $(RACE) -tags $(TAGS),cluster -timeout 16h -v ./test/cluster -kills $(KILLS) -dbkills $(DBKILLS) -latencies 200 $(if $(RACE),-caddy-race)

# The cache is the checkout's own: a shared one reports what it found in another
# checkout of the same code, also when that is gone.
lint:
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/lint go tool -modfile=.ci/lint/go.mod golangci-lint run ./...

# Looks whether a vulnerability is known of what is called of the dependencies and of
# Go's own library. It asks Go's database of vulnerabilities, so it needs the network.
vulnerabilities:
	go tool -modfile=.ci/release/go.mod govulncheck -tags $(TAGS) ./...

# Compares with plain reverse_proxy and with what people use instead, in one run,
# and writes docs/benchmarks.md. The peers need node, npm, redis-server, webhook,
# curl and openssl, and the ledger on several machines needs PostgreSQL; what is missing
# is told.
# `make bench ONLY=database BENCHMARKS=./store/postgres` measures PostgreSQL alone, in a
# few minutes, and writes its part.
BENCHMARKS := . ./gateway/ccpayment ./internal/confirm ./internal/encoding ./store/bolt ./store/postgres
ONLY :=
bench: bin/bench-caddy
	go test -tags $(TAGS) -run '^$$' -bench . -benchmem $(BENCHMARKS) >bin/bench.txt || { cat bin/bench.txt; exit 1; }
	go run ./test/bench --caddy bin/bench-caddy --in-process bin/bench.txt --docs docs --only '$(ONLY)'

# The usual Caddy, with a handler beside it that shows what Caddy can do at all.
.PHONY: bin/bench-caddy
bin/bench-caddy:
	CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags '-s -w' -o $@ ./test/bench/caddy

# Takes the pictures of docs/console.md anew.
pictures:
	SCREENSHOTS=$(CURDIR)/docs go test -tags $(TAGS) -count 1 -run '^TestConsolePictures$$' .

# Uses Caddy for long, with reloads, stops, kills and faults; what it holds must
# not grow.
soak: build
	CADDY=$(CURDIR)/bin/caddy go test -tags $(TAGS) -run '^TestSoak$$' -count 1 -timeout 0 -v ./test -soak $(SOAK)

# Compares the console's pages on a ledger of so many events with those on a plain one,
# and exports them all; on PostgreSQL a tenth as many.
EVENTS := 1000000
console: build
	CADDY=$(CURDIR)/bin/caddy go test -tags $(TAGS) -run '^TestConsoleLarge$$' -count 1 -timeout 0 -v ./test -events $(EVENTS)

# What a user does who adds the plugin to a Caddy of his own. Both versions are
# named, so that none is looked up.
xcaddy:
	go tool xcaddy build $$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2) --output bin/xcaddy \
		--with github.com/seed-338f6760/caddy-ccpayment@v0.0.0=.
