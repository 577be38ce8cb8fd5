# What a newcomer needs is `make run` and `make test`: both bring the pieces of the toolchain that are missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What is built and run here is for this machine.
HOST = $(shell rustc --print host-tuple)

locked = $(shell sed -n '/^name = "$(1)"$$/{n;s/version = "\(.*\)"/\1/p;q}' Cargo.lock)

TOOLCHAIN := target/.toolchain
WASMTIME_VERSION = $(call locked,wasmtime)
WASMTIME = target/tools/wasmtime-cli-$(WASMTIME_VERSION)/bin/wasmtime
LLVM_COV_VERSION := 0.9.1
LLVM_COV := target/tools/cargo-llvm-cov-$(LLVM_COV_VERSION)/bin/cargo-llvm-cov
DENY_VERSION := 0.20.2
DENY := target/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny

FUZZ_VERSION := 0.13.2
FUZZ := target/tools/cargo-fuzz-$(FUZZ_VERSION)/bin/cargo-fuzz
FUZZ_SECONDS ?= 60

# What is measured against has to be as fast as it can be.
PEER = target/tools/release/wasmtime-cli-$(WASMTIME_VERSION)/bin/wasmtime
OHA_VERSION := 1.16.0
OHA := target/tools/release/oha-$(OHA_VERSION)/bin/oha

# The binary that is put under load: what ships, built here, unless another is named.
STATUS_HOST ?= target/status-host
shipped = $(if $(filter target/status-host,$(STATUS_HOST)),binary)
load = STATUS_HOST=$(abspath $(STATUS_HOST)) cargo test --locked --package status-host --features load --test load -- \
	--nocapture --test-threads 1

# Where the audit takes the advisories from, for machines that reach a mirror only: anything that git can clone.
RUSTSEC := https://github.com/RustSec/advisory-db
ADVISORY_DB ?= $(RUSTSEC)

# Installs a cargo command at a version of its own: $(call install,crate,version,further arguments,profile). Built without
# optimization, which for tools that run for seconds saves minutes, unless the profile is release.
install = cargo install --profile $(or $(4),dev) --locked --root target/tools/$(if $(4),$(4)/)$(1)-$(2) \
	--target-dir target/tools/build --version $(2) $(3) $(1)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: run
run: export APP_VERSION ?= $(shell cat VERSION.txt)
run: export COMMIT_SHA ?= $(shell git rev-parse HEAD)
run: $(TOOLCHAIN) ## Serve /status of this checkout on port 5000
	cargo run --locked --package status-host

.PHONY: test
test: format lint ## Check format and lints, and run every test that needs nothing but Rust
	cargo test --locked --workspace

.PHONY: format
format: $(TOOLCHAIN) ## Check the format
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check

.PHONY: lint
lint: $(TOOLCHAIN) ## Check the lints, in each set of features and on each target that is built
	cargo clippy --locked --workspace --all-targets --features stock-runtime,load,ops -- --deny warnings
	cargo clippy --locked --package status-host --no-default-features -- --deny warnings
	cargo clippy --locked --package status-component --package probe --target wasm32-unknown-unknown -- --deny warnings

.PHONY: component
component: $(TOOLCHAIN) ## Build the portable component, target/component.wasm
	cargo build --locked --package status-host
	@sha256sum target/component.wasm

.PHONY: test-stock
test-stock: $(TOOLCHAIN) $(WASMTIME) ## Run the component on a stock wasmtime (built from source, 5 minutes)
	WASMTIME=$(abspath $(WASMTIME)) cargo test --locked --package status-host --features stock-runtime --test stock

.PHONY: test-ops
test-ops: $(TOOLCHAIN) ## See the metrics, alerts and dashboard through a real Prometheus; needs prometheus and promtool
	@command -v prometheus > /dev/null && command -v promtool > /dev/null || \
		{ echo "prometheus or promtool is missing; Debian has both in its package prometheus" >&2; exit 1; }
	cargo test --locked --package status-host --features ops --test ops

.PHONY: test-load
test-load: $(TOOLCHAIN) $(shipped) ## Hold thousands of bad connections beside a good one; needs slowhttptest
	$(load) --skip soak

.PHONY: soak
soak: $(TOOLCHAIN) $(shipped) ## Ask five million times, and look at the memory
	$(load) soak

.PHONY: test-instructions
test-instructions: $(shipped) ## Fail where a request takes over 5 % more instructions than is noted; needs valgrind and curl
	bench/instructions $(abspath $(STATUS_HOST))

.PHONY: bench
bench: $(TOOLCHAIN) binary $(PEER) $(OHA) ## Measure beside a native server and wasmtime serve, in 10 minutes; needs wrk and two cores
	@command -v wrk > /dev/null || { echo "wrk is missing; Debian has it in its package wrk" >&2; exit 1; }
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --package bench --target $(HOST)
	target/$(HOST)/release/bench --status-host target/status-host --native target/$(HOST)/release/native \
		--wasmtime $(PEER) --component target/component.wasm --oha $(OHA) --output target/bench $(BENCH_OPTIONS)

.PHONY: bench-parts
bench-parts: $(TOOLCHAIN) ## Measure the parts of a request: the handler, an instance, a call of the sandbox
	cargo bench --locked --package bench --bench parts

.PHONY: fuzz
fuzz: $(TOOLCHAIN) $(FUZZ) ## Fuzz the path of a request and the component, FUZZ_SECONDS=60 each
	for target in request component; do \
		mkdir -p fuzz/finds/$$target; \
		$(FUZZ) run --sanitizer none --target $(HOST) $$target fuzz/finds/$$target fuzz/corpus/$$target \
			-- -max_total_time=$(FUZZ_SECONDS); \
	done

.PHONY: test-image
test-image: component ## Build the image and run it, and break each gate; needs Docker, curl and PyYAML (25 minutes)
	.ci/test-image
	.ci/test-gates
	.ci/test-cloudbuild

.PHONY: test-scripts
test-scripts: ## Check the scripts; needs shellcheck
	shellcheck --external-sources build.sh bench/instructions .ci/run .ci/base-image .ci/lib.sh .ci/test-*

# A locked process cannot write its profile at its end: it keeps it in a file that is mapped, which asks for this.
.PHONY: coverage
coverage: export RUSTFLAGS := -C llvm-args=-runtime-counter-relocation
coverage: $(TOOLCHAIN) $(LLVM_COV) ## Run the tests, and fail where they miss a line of component or host
	$(LLVM_COV) llvm-cov --locked --workspace --exclude bench --ignore-filename-regex '(^|/)(build|tests)/' \
		--show-missing-lines --fail-under-lines 100

.PHONY: audit
audit: $(DENY) ## Check the locked crates: advisories, licences, sources, duplicates
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.$(ADVISORY_DB).insteadOf GIT_CONFIG_VALUE_0=$(RUSTSEC) \
		$(DENY) --locked check

.PHONY: binary
binary: $(TOOLCHAIN) ## Build what ships, static and without a compiler: target/status-host
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --package status-host \
		--no-default-features --target $(HOST)
	install target/$(HOST)/release/status-host target/status-host

# What the image does first, on crates that are empty yet, to build once what seldom changes.
.PHONY: dependencies
dependencies: lint binary $(LLVM_COV)
	RUSTFLAGS= cargo build --locked --release --target wasm32-unknown-unknown --target-dir target/guest \
		--package status-component --package probe
	$(LLVM_COV) llvm-cov --no-report --locked --workspace --exclude bench

.PHONY: tools
tools: $(TOOLCHAIN) $(LLVM_COV) $(DENY)

# Without an argument rustup installs what rust-toolchain.toml names, also where it does not do so by itself.
$(TOOLCHAIN): rust-toolchain.toml
	@command -v rustup > /dev/null || { echo "rustup is missing; see https://rustup.rs" >&2; exit 1; }
	rustup toolchain install
	@mkdir -p $(@D) && touch $@

wasmtime = --no-default-features \
	--features "run serve compile cranelift pooling-allocator component-model component-model-async parallel-compilation"

$(WASMTIME):
	$(call install,wasmtime-cli,$(WASMTIME_VERSION),$(wasmtime))

$(PEER):
	$(call install,wasmtime-cli,$(WASMTIME_VERSION),$(wasmtime),release)

$(OHA):
	$(call install,oha,$(OHA_VERSION),,release)

$(LLVM_COV):
	$(call install,cargo-llvm-cov,$(LLVM_COV_VERSION))

$(FUZZ):
	$(call install,cargo-fuzz,$(FUZZ_VERSION))

$(DENY):
	$(call install,cargo-deny,$(DENY_VERSION))
