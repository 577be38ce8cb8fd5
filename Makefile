# What a newcomer needs is `make run` and `make test`: both bring the pieces of the toolchain that are missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Both components are built in one folder, the one after the other.
.NOTPARALLEL:

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

AUDITABLE_VERSION := 0.7.4
AUDITABLE := target/tools/cargo-auditable-$(AUDITABLE_VERSION)/bin/cargo-auditable
AUDIT_VERSION := 0.22.2
AUDIT := target/tools/cargo-audit-$(AUDIT_VERSION)/bin/cargo-audit
CYCLONEDX_VERSION := 0.5.9
CYCLONEDX := target/tools/cargo-cyclonedx-$(CYCLONEDX_VERSION)/bin/cargo-cyclonedx

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

ship = build --locked --release --package status-host --no-default-features --target $(HOST)

# The bill of one of our crates: $(call bill,crate,folder,target,further arguments). It lists what is in the build, and not
# what that is made with. On the way it leaves a bill in the folder of each crate of ours that it meets.
bill = SOURCE_DATE_EPOCH=0 $(CYCLONEDX) cyclonedx --quiet --format json --spec-version 1.5 --override-filename bill \
	--manifest-path $(2)/Cargo.toml --target $(3) $(4) && \
	cargo tree --locked --prefix none --edges normal,no-proc-macro --package $(1) --target $(3) $(4) | \
	cargo run --quiet --locked --package artifact --bin bill $(2)/bill.json > target/sbom/$(1).cdx.json

# What is written in Python, each with all that it needs, at the versions that .ci/requirements-*.txt name.
venv = target/venv/$(1)/.installed
with_venv = PATH="$(CURDIR)/target/venv/$(1)/bin:$$PATH"

# Where the audit takes the advisories from, for machines that reach a mirror only: anything that git can clone.
RUSTSEC := https://github.com/RustSec/advisory-db
ADVISORY_DB ?= $(RUSTSEC)

# Paths end up in panic messages. With these what is built is the same wherever that is, and wherever its crates come from:
# a registry, a mirror, or a vendored folder. Of those that fit the last one counts.
cargo_home = $(or $(CARGO_HOME),$(HOME)/.cargo)
crates = $(CURDIR)/vendor $(shell ls -d $(cargo_home)/registry/src/* 2> /dev/null)
# Packed, what the start has to relocate takes 3 kB in place of 0.3 MB.
static_flags = -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs $(patsubst %,--remap-path-prefix=%,$(CURDIR)=/source $(crates:%=%=/crates))
static = RUSTFLAGS='$(static_flags) $(1)'

# How the service runs under load, as `make profile` recorded it. What ships is compiled for that.
PROFILE := host/status-host.proftext
profdata = $(shell rustc --print target-libdir)/../bin/llvm-profdata

# Leaves the list of its crates in what is built, as `cargo auditable build` does, but for the path of the wrapper: cargo
# hashes that into what it builds, and the binary would be another one in each folder.
auditable = PATH="$(abspath $(dir $(AUDITABLE))):$$PATH" RUSTC_WORKSPACE_WRAPPER=cargo-auditable \
	CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}'

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
	APP_VERSION=0 COMMIT_SHA=0 cargo clippy --locked --package status-component --features standalone \
		--target wasm32-unknown-unknown -- --deny warnings

.PHONY: component
component: standalone ## Build the portable components, target/component.wasm and target/component-standalone.wasm
	cargo build --locked --package status-host
	@sha256sum target/component.wasm target/component-standalone.wasm

# Where there is no git, these have to be set.
.PHONY: standalone
standalone test-stock: export APP_VERSION ?= $(shell cat VERSION.txt)
standalone test-stock: export COMMIT_SHA ?= $(shell git rev-parse HEAD)
standalone: export SOURCE_DATE_EPOCH ?= $(shell git show --no-patch --format=%ct HEAD)
standalone: $(TOOLCHAIN) ## Build the component that needs no grant, and pack it as an OCI artifact, target/oci
	cargo run --locked --package artifact

.PHONY: test-stock
test-stock: $(TOOLCHAIN) $(WASMTIME) standalone ## Run the components on a stock wasmtime (built from source, 5 minutes)
	WASMTIME=$(abspath $(WASMTIME)) STANDALONE=$(abspath target/component-standalone.wasm) \
		cargo test --locked --package status-host --features stock-runtime --test stock

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
	$(call static) cargo build --locked --release --package bench --target $(HOST)
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

.PHONY: test-api
test-api: $(call venv,api) $(if $(STATUS_URL),,$(shipped)) ## Hold the service to openapi.yaml: what ships, or what answers at STATUS_URL; needs curl
	$(call with_venv,api) STATUS_HOST=$(abspath $(STATUS_HOST)) STATUS_URL=$(STATUS_URL) .ci/test-api

.PHONY: test-oci
test-oci: standalone ## Unpack the OCI artifact by another hand, and see it refused where it is changed; needs skopeo
	.ci/test-oci

.PHONY: scan
scan: $(call venv,scan) ## Look for secrets, for bad practice in the Dockerfile, and for unsafe code that is not noted
	$(call with_venv,scan) .ci/test-scans

.PHONY: release
release: export VERSION ?=
release: ## Make what is on main the release VERSION=x.y.z: a commit and a tag, nothing is pushed; needs wrk
	@.ci/release "$$VERSION"

.PHONY: test-release
test-release: ## Release copies of this checkout, and try what must not be released
	.ci/test-release

.PHONY: test-scripts
test-scripts: ## Check the scripts; needs shellcheck
	shellcheck --external-sources $$(git grep --files-with-matches --extended-regexp '^#!.*bash|^# shellcheck shell=bash')

.PHONY: test-deploy
test-deploy: $(call venv,deploy) ## Check what is under deploy, and deploy to a Cloud Run that is simulated; needs kubectl and curl
	$(call with_venv,deploy) .ci/test-manifests
	$(call with_venv,deploy) .ci/test-deploy

# A locked process cannot write its profile at its end: it keeps it in a file that is mapped, which asks for this.
.PHONY: coverage
coverage: export RUSTFLAGS := -C llvm-args=-runtime-counter-relocation
coverage: $(TOOLCHAIN) $(LLVM_COV) ## Run the tests, and fail where they miss a line of component or host
	$(LLVM_COV) llvm-cov --locked --workspace --exclude artifact --exclude bench --ignore-filename-regex '(^|/)(build|tests)/' \
		--show-missing-lines --fail-under-lines 100

.PHONY: audit
audit: $(DENY) ## Check the locked crates: advisories, licences, sources, duplicates
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.$(ADVISORY_DB).insteadOf GIT_CONFIG_VALUE_0=$(RUSTSEC) \
		$(DENY) --locked check

.PHONY: audit-binary
audit-binary: $(AUDIT) $(shipped) ## Check the crates that the binary itself says it was built from
	rm -rf target/advisory-db
	git clone --quiet --depth 1 $(ADVISORY_DB) target/advisory-db
	$(AUDIT) audit --db target/advisory-db --no-fetch --deny warnings bin $(STATUS_HOST) 2>&1 | tee target/audit.log
	@grep --quiet "Found 'cargo auditable' data" target/audit.log || { echo "$(STATUS_HOST) does not tell which crates it was built" \
		"from, so that they were guessed; build it with make binary" >&2; exit 1; }

.PHONY: sbom
sbom: $(TOOLCHAIN) $(CYCLONEDX) ## Write the bills of materials of host and component, target/sbom
	@rm -rf target/sbom && mkdir -p target/sbom
	@# Build scripts watch these folders; bills that come and go shall not have them build anew.
	@find component host/tests/probe -maxdepth 0 -printf 'touch --date=@%T@ %p\n' > target/times
	trap 'rm -f */bill.json host/tests/*/bill.json; sh target/times' EXIT; \
		$(call bill,status-host,host,$(HOST),--no-default-features); \
		$(call bill,status-component,component,wasm32-unknown-unknown)

.PHONY: test-sbom
test-sbom: $(call venv,sbom) sbom $(AUDITABLE) $(AUDIT) $(shipped) ## Hold the bills to what is built, audit the binary, and see both fail
	PATH="$(abspath $(dir $(AUDITABLE))):$(CURDIR)/target/venv/sbom/bin:$$PATH" STATUS_HOST=$(abspath $(STATUS_HOST)) \
		ADVISORY_DB=$(ADVISORY_DB) .ci/test-sbom

.PHONY: fetch
fetch: $(TOOLCHAIN)
	cargo fetch --locked

.PHONY: vendor
vendor: $(TOOLCHAIN) ## Put the source of all locked crates into vendor, which the image is then built from
	cargo vendor --locked --versioned-dirs vendor > target/vendor.toml
	mv target/vendor.toml vendor/config.toml

.PHONY: binary
binary: $(TOOLCHAIN) $(AUDITABLE) target/status-host.profdata fetch ## Build what ships, static and without a compiler: target/status-host
	$(call static,-C profile-use=$(CURDIR)/target/status-host.profdata) $(auditable) cargo $(ship)
	install target/$(HOST)/release/status-host target/status-host

target/status-host.profdata: $(PROFILE) $(TOOLCHAIN)
	$(profdata) merge --output $@ $<

# Built as what ships is, since the names of functions, which the record goes by, depend on that.
.PHONY: profile
profile: $(TOOLCHAIN) $(AUDITABLE) fetch ## Record how the service runs, where the instructions of a request have grown; needs wrk
	$(call static,-C profile-generate) $(auditable) cargo $(ship) --target-dir target/profile
	bench/profile target/profile/$(HOST)/release/status-host $(profdata) $(PROFILE)

.PHONY: reproduce
reproduce: binary standalone sbom ## Build what ships once more, elsewhere, and compare
	.ci/reproduce target

# What the image does first, on crates that are empty yet, to build once what seldom changes.
.PHONY: dependencies
dependencies: lint binary $(LLVM_COV)
	RUSTFLAGS= cargo build --locked --release --target wasm32-unknown-unknown --target-dir target/guest \
		--package status-component --package probe
	cargo build --locked --package artifact
	$(LLVM_COV) llvm-cov --no-report --locked --workspace --exclude artifact --exclude bench

.PHONY: tools
tools: $(TOOLCHAIN) $(LLVM_COV) $(DENY) $(AUDITABLE) $(AUDIT) $(CYCLONEDX)

# Without an argument rustup installs what rust-toolchain.toml names, also where it does not do so by itself.
$(TOOLCHAIN): rust-toolchain.toml
	@command -v rustup > /dev/null || { echo "rustup is missing; see https://rustup.rs" >&2; exit 1; }
	cmp --silent $< $@ || rustup toolchain install
	@mkdir -p $(@D) && cp $< $@

target/venv/%/.installed: .ci/requirements-%.txt
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	$(@D)/bin/python -m pip check --disable-pip-version-check
	touch $@

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

$(AUDITABLE):
	$(call install,cargo-auditable,$(AUDITABLE_VERSION))

$(AUDIT):
	$(call install,cargo-audit,$(AUDIT_VERSION))

$(CYCLONEDX):
	$(call install,cargo-cyclonedx,$(CYCLONEDX_VERSION))
