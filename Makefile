# What a newcomer needs is `make run` and `make test`: both bring the pieces of the toolchain that are missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export APP_VERSION ?= $(shell cat VERSION.txt)
export COMMIT_SHA ?= $(shell git rev-parse HEAD)

locked = $(shell sed -n '/^name = "$(1)"$$/{n;s/version = "\(.*\)"/\1/p;q}' Cargo.lock)

TOOLCHAIN := target/.toolchain
WASMTIME_VERSION := $(call locked,wasmtime)
WASMTIME := target/tools/wasmtime-$(WASMTIME_VERSION)/bin/wasmtime
LLVM_COV_VERSION := 0.9.1
LLVM_COV := target/tools/cargo-llvm-cov-$(LLVM_COV_VERSION)/bin/cargo-llvm-cov

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: run
run: $(TOOLCHAIN) ## Serve /status of this checkout on port 5000
	cargo run --locked --package status-host

.PHONY: test
test: $(TOOLCHAIN) ## Check format and lints, and run every test that needs nothing but Rust
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo clippy --locked --package status-host --no-default-features -- --deny warnings
	cargo clippy --locked --package status-component --package probe --target wasm32-unknown-unknown -- --deny warnings
	cargo test --locked --workspace

.PHONY: component
component: $(TOOLCHAIN) ## Build the portable component, target/component.wasm
	cargo build --locked --package status-host
	@sha256sum target/component.wasm

.PHONY: test-stock
test-stock: $(TOOLCHAIN) $(WASMTIME) ## Run the component on a stock wasmtime (built from source, 5 minutes)
	WASMTIME=$(abspath $(WASMTIME)) cargo test --locked --package status-host --features stock-runtime --test stock

.PHONY: coverage
coverage: $(TOOLCHAIN) $(LLVM_COV) ## Measure the lines of component and host that the tests reach
	$(LLVM_COV) llvm-cov --locked --workspace --ignore-filename-regex "(^|/)(build|tests)/" --fail-under-lines 100 --show-missing-lines

# Without an argument rustup installs what rust-toolchain.toml names, also where it does not do so by itself.
$(TOOLCHAIN): rust-toolchain.toml
	@command -v rustup > /dev/null || { echo "rustup is missing; see https://rustup.rs" >&2; exit 1; }
	rustup toolchain install
	@mkdir -p $(@D) && touch $@

$(WASMTIME):
	cargo install --locked --root target/tools/wasmtime-$(WASMTIME_VERSION) --target-dir target/tools/build \
		--version $(WASMTIME_VERSION) --no-default-features \
		--features run,serve,cranelift,pooling-allocator,component-model,component-model-async,parallel-compilation \
		wasmtime-cli

$(LLVM_COV):
	cargo install --locked --root target/tools/cargo-llvm-cov-$(LLVM_COV_VERSION) --target-dir target/tools/build \
		--version $(LLVM_COV_VERSION) cargo-llvm-cov
