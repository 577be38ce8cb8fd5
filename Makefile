# Start with `make run` or `make test`: both install missing parts of the toolchain with rustup.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
# All targets share one Cargo target directory: target/, whatever the developer's Cargo settings are.
.NOTPARALLEL:
export CARGO_TARGET_DIR := $(CURDIR)/target
unexport CARGO_BUILD_TARGET RUST_TARGET STATUS_HOST

TOOLCHAIN := target/.toolchain
HOST = $(shell rustc --print host-tuple)
version_and_commit = APP_VERSION="$${APP_VERSION:-$$(ci/version)}"; \
	COMMIT_SHA="$${COMMIT_SHA:-$$(git rev-parse HEAD)}"; export APP_VERSION COMMIT_SHA

# Tools that cargo builds from source into target/tools. The first five belong to the image build.
DENY := cargo-deny@0.20.2
VET := cargo-vet@0.10.3
AUDITABLE := cargo-auditable@0.7.4
LLVM_COV := cargo-llvm-cov@0.9.1
CYCLONEDX := cargo-cyclonedx@0.5.9
FUZZ := cargo-fuzz@0.13.2
OHA := oha@1.16.0
tool = target/tools/.$(1)
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

# Python tools, in a virtual environment for each ci/requirements-NAME.txt.
venv = target/venv/$(1)/.installed
with_venv = PATH="$(CURDIR)/target/venv/$(1)/bin:$$PATH"

# The files under test. `make check` sets them to the ones from the image build.
STATUS_HOST ?= target/status-host
STANDALONE ?= target/component-standalone.wasm
image = $(if $(CHECKING),,image)

# A machine that cannot reach the public advisory database sets ADVISORY_DB to anything that git can clone.
RUSTSEC := https://github.com/RustSec/advisory-db
ADVISORY_DB ?= $(RUSTSEC)
.PHONY: help run test lint coverage audit component standalone binary sbom image reproduce verify vendor check scan \
	bench bench-parts fuzz release tools dependencies
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p; s/^#: \([^ ]*\) */\1\t/p' Makefile | expand -t 14

run: $(TOOLCHAIN) ## Serve /status of this checkout on port 5000
	$(version_and_commit); cargo run --locked --package status-host
test: lint ## Check format and lints, then run all tests that need only Rust
	cargo test --locked --workspace
lint: $(TOOLCHAIN) ## Check format and lints, for every target and feature set that is built
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets --features stock-runtime,load,ops -- --deny warnings
	CC_aarch64_unknown_linux_gnu=cc cargo clippy --locked --release --package status-host --no-default-features \
		--target aarch64-unknown-linux-gnu -- --deny warnings # nothing is linked: any C compiler will do
	cargo clippy --locked --package status-component --package probe --target wasm32-unknown-unknown -- --deny warnings
	APP_VERSION=0 COMMIT_SHA=0 cargo clippy --locked --package status-component --features standalone \
		--target wasm32-unknown-unknown -- --deny warnings

# A confined process cannot write its counters at exit. The flag keeps them in a memory-mapped file instead.
coverage = RUSTFLAGS='-C llvm-args=-runtime-counter-relocation' cargo llvm-cov --locked --workspace \
	--exclude standalone --exclude bench
coverage: $(TOOLCHAIN) $(call tool,$(LLVM_COV)) ## Run the tests and require 100 % line coverage of component and host
	RUST_TEST_THREADS=8 $(coverage) --ignore-filename-regex '(^|/)(build|tests)/|/bindings\.rs$$' \
		--show-missing-lines --fail-under-lines 100 # most tests wait, so more of them than cores
audit: $(call tool,$(DENY)) $(call tool,$(VET)) ## Check the locked crates: advisories, licences, sources, audits
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.$(ADVISORY_DB).insteadOf GIT_CONFIG_VALUE_0=$(RUSTSEC) \
		cargo deny --locked check
	cargo vet --locked
component: standalone ## Build target/component.wasm and target/component-standalone.wasm
	cargo build --locked --package status-host
standalone: $(TOOLCHAIN)
	$(version_and_commit); cargo run --locked --package standalone
binary: $(TOOLCHAIN) $(call tool,$(AUDITABLE)) ## Build target/status-host, static, as it ships; RUST_TARGET=triple
	ci/build-binary $(or $(RUST_TARGET),$(HOST))
sbom: $(TOOLCHAIN) $(call tool,$(CYCLONEDX)) ## Write the SBOMs of host and component to target/sbom
	ci/sbom $(or $(RUST_TARGET),$(HOST))
image: ## Build the image with ./build.sh and copy its artifacts to target/image; needs Docker
	ARTIFACTS=target/image ./build.sh $(BUILD_ARGUMENTS)
reproduce: $(image) ## Build again offline in another directory and compare with the image; needs Docker
	ci/reproduce
verify: ## Check FILE=… against the provenance of its build, without a network
	ci/verify "$(FILE)" "$(or $(PROVENANCE),target/image/provenance.json)"
vendor: $(TOOLCHAIN) ## Copy the source of all locked crates to vendor/, for builds without a network
	cargo vendor --locked --versioned-dirs vendor > target/vendor.toml
	mv target/vendor.toml vendor/config.toml
check: ## Run everything that CI runs, and print how long each part took
	rm -rf target/parts; CHECKING=yes STATUS_HOST=target/image/status-host \
		STANDALONE=target/oci/component-standalone.wasm ci/run-parts scan test-deploy image test-image test-arm64 \
		test-gates test-api test-oci test-stock test-ops test-load test-instructions reproduce
scan: $(call venv,tools) ## Lint scripts and Dockerfile; find secrets and unlisted unsafe code; needs shellcheck
	$(call with_venv,tools) ci/scan

#: test-NAME    One part of check: deploy, image, arm64, gates, api, oci, stock, ops, load or instructions
test-stock: $(if $(filter target/component%,$(STANDALONE)),standalone) $(call venv,tools)
test-stock test-ops test-load: test-%: $(TOOLCHAIN) $(if $(filter target/status-host,$(STATUS_HOST)),binary)
	$(version_and_commit) STATUS_HOST="$(CURDIR)/$(STATUS_HOST)" STANDALONE="$(CURDIR)/$(STANDALONE)" \
		WASMTIME="$(CURDIR)/target/venv/tools/bin/wasmtime"; \
	cargo test --locked --package status-host --features stock-runtime,ops,load --test it -- $*:: \
		--nocapture --test-threads 1 $(addprefix --skip ,$(SKIP))
SKIP ?= soak
test-deploy: test-manifests
test-manifests: $(call venv,deploy)
	$(call with_venv,deploy) ci/test-manifests
test-image test-gates test-api test-oci test-arm64: $(TOOLCHAIN) $(image) $(call venv,tools)
test-image test-gates test-api test-oci test-arm64 test-deploy: test-%:
	$(call with_venv,tools) ci/test-$*
test-instructions: $(if $(filter target/status-host,$(STATUS_HOST)),binary)
	bench/instructions "$(CURDIR)/$(STATUS_HOST)"
test-stress: $(TOOLCHAIN) ## Run the tests 20 times on busy cores, then once on a single core
	cargo test --locked --workspace --no-run
	trap 'kill $$(jobs -p)' EXIT; for _ in 1 2 3 4; do while :; do :; done & done; \
		for run in {1..20}; do echo "run $$run"; cargo test --locked --workspace --quiet; done
	taskset --cpu-list 0 cargo test --locked --workspace --quiet
bench: binary $(call tool,$(OHA)) $(call venv,tools) ## Compare with a native server and `wasmtime serve`; needs wrk
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --release --package bench --target $(HOST)
	target/$(HOST)/release/bench --status-host target/status-host --native target/$(HOST)/release/native \
		--wasmtime target/venv/tools/bin/wasmtime --component target/component.wasm --oha "$$(command -v oha)" \
		--output target/bench $(BENCH_OPTIONS)
bench-parts: component ## Time a call of the sandbox, with its host functions and with stock ones
	cargo bench --locked --package bench
fuzz: $(TOOLCHAIN) $(call tool,$(FUZZ)) ## Fuzz the request path and the component, FUZZ_SECONDS=60 each
	for target in request component; do mkdir -p fuzz/finds/$$target; \
		cargo fuzz run --sanitizer none --target $(HOST) $$target fuzz/finds/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(or $(FUZZ_SECONDS),60); done
release: ## Turn main into release VERSION=x.y.z: a commit and a tag, without a push
	@ci/release "$(VERSION)"

# For the Dockerfile: its tools, then everything that only the manifests determine.
tools: $(TOOLCHAIN) $(foreach name,$(DENY) $(VET) $(AUDITABLE) $(LLVM_COV) $(CYCLONEDX),$(call tool,$(name)))
	rm -rf target/tools/build
dependencies: lint binary
	cargo build --locked --package standalone
	$(coverage) --no-report

# Names the channel because rustup before 1.28 requires it.
$(TOOLCHAIN): rust-toolchain.toml
	@command -v rustup > /dev/null || { echo "rustup is missing; see https://rustup.rs" >&2; exit 1; }
	get() { sed -n "s/^$$1 = //p" $< | tr -d '[]" '; }; rustup toolchain install "$$(get channel)" \
		--no-self-update --profile minimal --component "$$(get components)" --target "$$(get targets)"
	mkdir -p target && cp $< $@

# A tool built without optimization is ready minutes earlier. Only oha has to be fast.
target/tools/.%:
	cargo install --locked --profile $(if $(filter $(OHA),$*),release,dev) --root target/tools \
		--target-dir target/tools/build $*
	rm -f $(firstword $(subst @, ,$@))@* && touch $@

target/venv/%/.installed: ci/requirements-%.txt
	rm -rf $(@D) && python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	cd $(@D) && find lib -path '*/wasmtime_cli/wasmtime' -exec chmod +x {} \; -exec ln -sf ../{} bin/wasmtime \;
	touch $@
