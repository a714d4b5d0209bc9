# Everything a person does here, in one place. `make help` lists the targets.

CATALOG       ?= demo.evodb
MODEL         ?= Examples/prose-10m
TEXT          ?= $(MODEL)/calibration.txt
VALIDATION    ?= $(MODEL)/validation.txt
TARGET_BITS   ?= 3
SEED          ?= 0
# More options for `evodb auto`, such as DEMO_OPTIONS='--quiet --threads 4'.
DEMO_OPTIONS  ?=
# Options for `evodb-bench`; --help lists them.
BENCH_OPTIONS ?=

# What `make fuzz` attacks (`Scripts/fuzz.sh list` names the targets), how often, and for how many seconds at most (0: no limit).
FUZZ_TARGET   ?= all
FUZZ_RUNS     ?= 1000000
FUZZ_SECONDS  ?= 0

# Tests are optimised, because numeric code is 50 times slower in a debug build, and have a build folder of their own,
# because -enable-testing would make them and the release build evict each other.
TEST_FLAGS    := -c release -Xswiftc -enable-testing --scratch-path .build-test
FORMAT_PATHS   = $(wildcard Sources Tests Benchmarks Package.swift)

VERSION        = $(shell sed -n 's/.*static let version = "\(.*\)".*/\1/p' Sources/evodb/Commands/Evodb.swift)

.DEFAULT_GOAL := help
.PHONY: help build demo test test-python test-kernel-sets nightly fuzz check lint imports bench format dist wheel \
  install-dependencies swift clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-22s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: install-dependencies ## Build .build/release/evodb.
	swift build -c release --product evodb

demo: build ## Find the best 3-bit form of the example model; make demo SEED=1 for another search.
	.build/release/evodb auto $(MODEL) --text $(TEXT) --validation $(VALIDATION) \
	  --target-bits $(TARGET_BITS) --seed $(SEED) --catalog $(CATALOG) $(DEMO_OPTIONS)

test: install-dependencies ## Build and run all tests.
	swift test $(TEST_FLAGS)

test-kernel-sets: install-dependencies ## Run all tests under every kernel set of OpenBLAS that the processor can run.
	Scripts/test-kernel-sets.sh

nightly: install-dependencies ## Run all tests with a fresh seed of their random numbers; EVODB_TEST_SEED=N repeats one.
	Scripts/nightly.sh $(TEST_FLAGS)

fuzz: install-dependencies ## Look for inputs that do harm; make fuzz FUZZ_TARGET=json FUZZ_RUNS=100000
	FUZZ_RUNS=$(FUZZ_RUNS) FUZZ_SECONDS=$(FUZZ_SECONDS) Scripts/fuzz.sh $(FUZZ_TARGET)

test-python: ## Run the tests of the Python module; says so if there is no Python or pytest.
	Scripts/test-python.sh

check: install-dependencies lint imports ## What every change must pass: lint, imports, build, tests.
	swift build --build-tests $(TEST_FLAGS) --explicit-target-dependency-import-check error
	swift test --skip-build $(TEST_FLAGS)
	Scripts/test-python.sh

lint: swift ## Check the format of all Swift files.
	swift format lint --strict --recursive $(FORMAT_PATHS)

imports: ## Check every import in Sources against the table in ARCHITECTURE.md.
	Scripts/check-imports.sh

bench: install-dependencies ## Measure; docs/performance.md explains the figures. make bench BENCH_OPTIONS=--json
	swift build -c release --product evodb-bench
	.build/release/evodb-bench $(BENCH_OPTIONS)

format: swift ## Format all Swift files in place.
	swift format --in-place --recursive $(FORMAT_PATHS)

dist: install-dependencies ## Make evodb-VERSION-linux-ARCH.tar.gz in dist/, which needs the C library only (Linux).
	Packaging/dist.sh dist

wheel: dist ## Make the same as a Python wheel, in dist/.
	Packaging/make-wheel.py dist/evodb-$(VERSION)-linux-$$(uname -m).tar.gz

swift:
	@Scripts/install-dependencies.sh swift

install-dependencies: ## Install libsqlite3, libopenblas and pkg-config if they are missing.
	@Scripts/install-dependencies.sh

clean: ## Remove what was built; catalogs stay.
	rm -rf .build .build-test .build-fuzz dist
