# `make run` and `make test` need rustup 1.28, git and a C compiler. CONTRIBUTING.md lists what the other targets need.

SHELL := /bin/bash
.SHELLFLAGS := -p -euo pipefail -c
.NOTPARALLEL:

# The toolchain of rust-toolchain.toml, and results in target/, whatever the settings of the developer are.
unexport CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTC RUSTUP_TOOLCHAIN STATUS_HOST
export CARGO_BUILD_BUILD_DIR := $(CURDIR)/target
export CARGO_TARGET_DIR := $(CURDIR)/target
# Coverage has the same directory and flags as lints and tests, so that they share their dependencies. A process in
# lockdown cannot write its counters at exit: the flag keeps them in a file that is mapped into memory.
export CARGO_LLVM_COV_TARGET_DIR := $(CURDIR)/target
export RUSTFLAGS := -C llvm-args=-runtime-counter-relocation
# Tools of Cargo and Python that this Makefile installs.
export CARGO_INSTALL_ROOT ?= $(CURDIR)/target/tools
export PATH := $(CARGO_INSTALL_ROOT)/bin:$(CURDIR)/target/venv/bin:$(PATH)
# Of this checkout, even if it lies inside another one.
export APP_VERSION := $(shell cat VERSION.txt)
ifndef COMMIT_SHA
export COMMIT_SHA := $(shell GIT_DIR=.git git rev-parse HEAD 2> /dev/null)
endif

export ADVISORY_DB ?= https://github.com/RustSec/advisory-db
ARCHITECTURE ?= amd64
# What `make coverage` measures.
PACKAGES ?= --workspace --exclude standalone --exclude bench
# The files that ship, for tests of them: `make image` puts them here.
STATUS_HOST ?= $(CURDIR)/target/image/status-host
STANDALONE ?= $(CURDIR)/target/image/component-standalone.wasm
WASMTIME := $(CURDIR)/target/venv/bin/wasmtime
SHIPPED := STATUS_HOST=$(STATUS_HOST) STANDALONE=$(STANDALONE) WASMTIME=$(WASMTIME)
# Arguments of build.sh, such as --build-arg=ADVISORY_DB=...
export BUILD_ARGUMENTS ?=

.PHONY: help run test lint coverage audit binary standalone tools toolchain
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

# Without Docker

run: toolchain ## Serve /status of this checkout on port 5000
	cargo run --locked --package status-host

test: lint ## Check format and lints, run the tests
	cargo test --locked --workspace

lint: toolchain ## Check format and lints
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --features stock-runtime,ops,load -- --deny warnings

coverage: tools ## Run the tests; require coverage of 100 % of the lines of the component and 97 % of the host
	cargo llvm-cov clean --workspace # a report would include binaries of other sources in the cache
	cargo llvm-cov --locked $(PACKAGES) --no-report
	cargo llvm-cov report --show-missing-lines --fail-under-lines 100 \
		--ignore-filename-regex '/host/|/component/(tests|standalone)/|/bindings\.rs$$'
	cargo llvm-cov report --show-missing-lines --fail-under-lines 97 \
		--ignore-filename-regex '/component/|/host/(build|tests)/' | tee target/coverage.txt

audit: tools ## Check the locked crates for advisories, licences and sources
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.$$ADVISORY_DB.insteadOf" \
		GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db cargo deny --locked check

binary: tools ## Build the binary that ships and its SBOM; ARCHITECTURE is amd64 or arm64
	ci/build-binary $(ARCHITECTURE)

standalone: toolchain ## Build target/component-standalone.wasm, which contains version and commit
	cargo run --locked --package standalone

tools: toolchain
	xargs --arg-file=ci/tools.txt cargo install --quiet --locked --profile dev

toolchain:
	rustup --quiet toolchain install --no-self-update

# With Docker

.PHONY: image check lint-targets lint-scripts test-gates test-stock test-ops test-load test-build test-image \
	test-api test-manifests test-arm64 test-rebuild test-stress bench
image: ## Build the image and copy its files to target/image
	./build.sh $$BUILD_ARGUMENTS
	STAGE=artifacts ./build.sh $$BUILD_ARGUMENTS --output=target/image

check: ## Run everything that CI runs, and print the time of each part
	ci/run-parts lint-scripts test-manifests image test-image test-api check-lint-targets check-test-gates \
		check-test-stock check-test-ops check-test-load test-build

# `make check-PART` runs `make PART` in the build environment of the image, with its caches and the files that ship.
check-%:
	STAGE=check ./build.sh $$BUILD_ARGUMENTS --build-arg=PART=$*
check-lint-targets:
	STAGE=check-targets ./build.sh $$BUILD_ARGUMENTS

lint-targets: toolchain ## Lint the code for other targets and features
	CC_aarch64_unknown_linux_gnu=cc cargo clippy --locked --release --package status-host --no-default-features \
		--target aarch64-unknown-linux-gnu -- --deny warnings
	cargo clippy --locked --release --package status-component --package probe --target wasm32-unknown-unknown \
		-- --deny warnings
	cargo clippy --locked --release --package status-component --features standalone \
		--target wasm32-unknown-unknown -- --deny warnings

lint-scripts: target/venv ## Check scripts and Dockerfile; needs shellcheck
	shellcheck build.sh .ci/run $$(git grep --files-with-matches '^#!/bin/bash' ci)
	hadolint Dockerfile

test-gates: tools
	ci/test-gates

test-stock: target/venv ## Test both components on a stock wasmtime
	$(SHIPPED) cargo test --locked --package status-host --features stock-runtime --test it -- stock::
test-ops: toolchain ## Test metrics, alerts and dashboard; needs prometheus
	$(SHIPPED) cargo test --locked --package status-host --features ops --test it -- ops:: --nocapture
test-load: toolchain ## Test the binary under load; needs slowhttptest
	$(SHIPPED) cargo test --locked --package status-host --features load --test it -- load:: --nocapture \
		--test-threads 1

test-build: ## Test that only the commit determines the image, and that a failing gate stops the build
	ci/test-build
test-image: ## Test the image
	ci/test-image
test-api: target/venv ## Test the responses of the image against openapi.yaml
	ci/test-api
test-manifests: target/venv ## Validate the Kubernetes manifests; needs kubectl
	ci/test-manifests

# Not part of `make check`

test-arm64: ## Build the image for arm64 and test it in qemu-user; needs qemu-user-static
	ci/test-arm64
test-rebuild: ## Build the image again, with warm and with empty caches, and compare
	ci/test-rebuild
test-stress: toolchain ## Run the tests 20 times on busy cores, then once on a single core
	cargo test --locked --workspace --no-run
	trap 'kill $$(jobs -p)' EXIT; for _ in 1 2 3 4; do while :; do :; done & done; \
		for run in {1..20}; do echo "run $$run"; cargo test --locked --workspace --quiet; done
	taskset --cpu-list 0 cargo test --locked --workspace --quiet
bench: target/venv ## Compare with a native server and `wasmtime serve`; needs wrk
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --package bench
	bench/compare --native target/release/native --status-host $(STATUS_HOST) --wasmtime $(WASMTIME) \
		--component target/image/component.wasm $(BENCH_OPTIONS)

target/venv: ci/requirements.txt
	rm -rf $@ && python3 -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	cd $@ && find lib -path '*/wasmtime_cli/wasmtime' -exec chmod +x {} \; -exec ln -sf ../{} bin/wasmtime \;
	touch $@
