# Reasoning Graph: entry points. Each folder has a Makefile of its own.
#
#   make demo     start a private stack, do the main job on real input, show each step
#   make check    build with warnings as errors, run every test; make check-fast what says most in two minutes
#   make up       the private stack, left running (RUN_DIR=, PORT_BASE=); make down stops it
#   make lint, unit, integration, acceptance   the suites of make check by what they are for, as .github/workflows/pipeline.yml has them
#   make scan     hardening of what was built, secrets in the sources, npm's advisories, Debian's updates that images lack
#   make sbom     the lists of what is in the images, compared with the images
#   make check-kubernetes   the chart's releases and the sidecar's Lease on kube-apiserver and etcd, which it builds first
#   make check-vault        the sidecar's signer for Vault against Vault, which it builds first: minutes
#   make check-graphs       the sidecar's mirrors in Neo4j and JanusGraph, which it fetches by Maven first: a quarter of an hour
#   make check-sts          the sidecar with session tokens of SeaweedFS, which it builds first: a quarter of an hour
#   make check-upgrade      PostgreSQL 16, 17 and 18, and pg_upgrade to them: a quarter of an hour
#   make check-assert       the database's suites on a PostgreSQL with assertions, which it builds first: long
#   make check-long         soak, storms, kills, hostile counterparts and graphs in their long forms: two hours
#   make check-debian       the commands of docs/for-operators/debian.md on a minimal Debian, which it makes first: 10 minutes
#   make deb                Debian packages, in .build/packages
#   make images             container images as OCI layouts, with a list of what is in them, in .build/images: 5 minutes
#   make check-images       those images: contents, made alike twice, their pods, PostgreSQL in one: half an hour
#   make check-canary       two releases on one database: one is tried, and replaces the other or goes again: a quarter of an hour
#   make check-alerts       each alert on a stack that is hurt, and the dashboard's queries, by a real Prometheus: half an hour
#   make check-jaeger       spans of gateway and sidecar in Jaeger and the OpenTelemetry Collector, which it builds first: a quarter of an hour
#   make check-failover     backups by pgBackRest, and PostgreSQL under Patroni whose leader is killed: 10 minutes
#   make drill              every drill on private stacks, and a signed report of them in .build/drill: half an hour
#   make debug              extension and sidecar for a debugger, in .build/debug
#   make valgrind           the extension under memcheck, inside a server: minutes
#   make sanitize           gateway and sidecar under AddressSanitizer and UBSan, the sidecar under ThreadSanitizer: 20 minutes
#   make changelog VERSION=x.y.z   the fragments of docs/changes into CHANGELOG.md
#   make bench    benchmarks, each against a baseline measured in the same run
#   make fuzz     the long run of the fuzzers
#   make packages, make packages-check   the Debian packages that building and testing need
#   make private  everything built, the extension in a PostgreSQL tree of its own, .build/pg
#   make format   the code laid out as the lint wants it
#   make house    the picture of the folders in docs/architecture.md, from the code
#   make clean    without what was built
#   make install  extension, nginx module, sidecar and tools (PG_CONFIG=, prefix=, DESTDIR=)

SHELL = /bin/sh
.SHELLFLAGS = -euc
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PG_CONFIG ?= pg_config
PRIVATE_PG_CONFIG = $(CURDIR)/.build/pg/lib/postgresql/15/bin/pg_config

export RUN_DIR PORT_BASE

.PHONY: all acceptance changelog demo check check-alerts check-assert check-canary check-debian check-fast check-failover check-graphs check-images check-jaeger check-kubernetes check-long check-sts check-upgrade check-vault deb debug drill format house images integration lint up down bench fuzz help sbom scan unit valgrind sanitize install clean packages packages-check packages-images packages-operators private

all: ## Build everything against the system's PostgreSQL and nginx
	$(MAKE) -C extension PG_CONFIG=$(PG_CONFIG)
	$(MAKE) -C gateway
	$(MAKE) -C sidecar
	$(MAKE) -C sidecar/verify
	$(MAKE) -C sidecar/approve
	$(MAKE) -C sidecar/canary
	$(MAKE) -C sidecar/import

help: ## What there is to make
	@sed -n 's/^#   make/make/p' Makefile

demo: private
	@test/demo/demo.sh

check: packages-check private
	@test/check.sh

check-fast: packages-check private
	@test/check.sh --fast

# The suites of make check by what they are for: what .github/workflows/pipeline.yml runs.
lint: packages-check
	@test/check.sh lint

unit: packages-check private
	@test/check.sh unit fuzz scan

integration: packages-check private
	@test/check.sh regress isolation pgtap trace trust crossruntime gateway sidecar verify tlog engines

acceptance: packages-check private
	@test/check.sh e2e ui charts pods

scan: packages-check private
	@charts/scan.py

sbom: packages-check packages-images
	@/usr/bin/python3 -m pytest -q test/images -k list

debug: packages ## Extension and sidecar without optimisation and with assertions, in .build/debug
	@test/stack/debug.sh

changelog: packages-check ## Fragments of docs/changes into CHANGELOG.md, of which they are then no longer part
	@test -n "$(VERSION)" || { echo 'say which: make changelog VERSION=x.y.z' >&2; exit 1; }
	@towncrier build --yes --config docs/changes/towncrier.toml --dir . --name 'Reasoning Graph' --version '$(VERSION)'

format: packages-check ## C, Python and shell scripts laid out as the lint wants them
	@test/format.sh

house: ## The picture of the folders in docs/architecture.md, from the code
	@/usr/bin/python3 test/lint/includes.py --house

# Apart from check, because building kube-apiserver takes minutes. The chart's Role is what it is tested with.
check-kubernetes: packages-check private
	@REASON_KUBERNETES=real /usr/bin/python3 -m pytest -q test/charts test/sidecar/test_lease.py test/sidecar/test_release.py

check-vault: packages-check private
	@REASON_VAULT=real /usr/bin/python3 -m pytest -q test/sidecar/test_vault.py

check-graphs: packages-check private
	@/usr/bin/python3 -m pytest -q test/engines

check-sts: packages-check private
	@REASON_STS=real /usr/bin/python3 -m pytest -q test/sidecar/test_sts.py

check-assert: packages-check private
	@test/assert.sh

check-long: packages-check private
	@test/long.sh

check-upgrade: packages-check private
	@test/upgrade.sh

check-debian: deb
	@test/debian/check.sh

check-canary: packages-check private
	@/usr/bin/python3 -m pytest -q test/canary

check-alerts: packages-check private
	@/usr/bin/python3 -m pytest -q test/alerts

check-jaeger: packages-check private
	@REASON_TEST_COLLECTOR=yes /usr/bin/python3 -m pytest -q test/tracing test/sidecar/test_tracing.py

check-failover: packages-check packages-operators private
	@/usr/bin/python3 -m pytest -q test/operators

drill: packages-check packages-operators private ## NAMES="rebuild backup" for some
	@/usr/bin/python3 test/drill/drill.py $(NAMES)

deb: packages-check packages-operators ## Debian packages, in .build/packages
	@charts/debian/build.sh

images: packages packages-images ## NAMES="gateway" for some
	@if command -v npm >/dev/null; then $(MAKE) -C gateway ui; fi
	@charts/images/build.sh $(NAMES)

check-images: images packages-check private
	@/usr/bin/python3 -m pytest -q test/images
	@REASON_POD_BASE=oci /usr/bin/python3 -m pytest -q test/pods

up: private
	@test/stack/up.sh

down:
	@test/stack/down.sh

bench: packages-check private
	@test/bench/run.sh

fuzz: packages-check
	$(MAKE) -C test/fuzz long

valgrind: packages-check private ## The extension under memcheck, inside a server: takes minutes
	test/sanitize/extension.sh

sanitize: packages-check private ## The gateway's module; the sidecar and the verifier, each sanitizer in turn
	test/sanitize/gateway.sh
	test/sanitize/sidecar.sh

install: all
	$(MAKE) -C extension PG_CONFIG=$(PG_CONFIG) install
	$(MAKE) -C gateway install
	$(MAKE) -C sidecar install
	$(MAKE) -C sidecar/verify install
	$(MAKE) -C sidecar/approve install
	$(MAKE) -C sidecar/canary install
	$(MAKE) -C sidecar/import install

packages:
	@test/stack/install-packages.sh test/stack/packages

packages-check:
	@test/stack/install-packages.sh test/stack/packages test/stack/packages-check

packages-images:
	@test/stack/install-packages.sh test/stack/packages-images

packages-operators:
	@test/stack/install-packages.sh test/stack/packages-operators

# Everything built, and the extension installed into a PostgreSQL tree of our own (.build/pg).
private: packages
	@test/stack/build.sh

clean:
	$(MAKE) -C extension PG_CONFIG=$(PG_CONFIG) clean
	$(MAKE) -C gateway clean
	$(MAKE) -C sidecar clean
	$(MAKE) -C sidecar/verify clean
	$(MAKE) -C sidecar/approve clean
	$(MAKE) -C sidecar/canary clean
	$(MAKE) -C sidecar/import clean
	rm -rf .build
