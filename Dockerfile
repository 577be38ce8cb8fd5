# Every gate runs in here, each of which stops the build; what comes out is one static file in an empty image.
# Plain syntax: the classic builder, BuildKit and kaniko take it. Built by build.sh.

# An image with rustup, git, make and a C compiler. A private mirror can be named in its place.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-bookworm
FROM ${RUST_IMAGE} AS tools

WORKDIR /src
ENV CARGO_INCREMENTAL=0 \
    CARGO_PROFILE_DEV_DEBUG=none \
    CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG=none \
    CARGO_TERM_COLOR=never

# Where toolchain and crates come from, other than the public servers: docs/private-registries.md.
ARG RUSTUP_DIST_SERVER=https://static.rust-lang.org
ARG CRATES
RUN [ -z "$CRATES" ] || { mkdir /.cargo && \
    printf '[source.crates-io]\nreplace-with = "mirror"\n\n[source.mirror]\nregistry = "%s"\n' "$CRATES" > /.cargo/config.toml; }

# The toolchain and the tools of the gates: as long as their versions stay, so does this layer.
COPY rust-toolchain.toml Makefile ./
RUN make tools

# What follows needs no network where vendor holds the crates, and the advisory database is at hand.
FROM tools AS build
COPY vendor vendor
RUN [ ! -e vendor/config.toml ] || { mkdir .cargo && mv vendor/config.toml .cargo/; }

# The locked dependencies, fetched and built on empty crates: as long as the manifests stay, so do these layers.
COPY Cargo.toml Cargo.lock ./
COPY host/status-host.proftext host/
COPY artifact/Cargo.toml artifact/
COPY bench/Cargo.toml bench/
COPY component/Cargo.toml component/
COPY host/Cargo.toml host/
COPY host/tests/probe/Cargo.toml host/tests/probe/
COPY host/tests/probe-artifact/Cargo.toml host/tests/probe-artifact/
RUN set -e; \
    library='//! Empty.'; program='#![doc = "Empty."] fn main() {}'; \
    mkdir -p artifact/src bench/benches bench/src/bin component/src host/build host/src host/tests/probe/src host/tests/probe-artifact/src; \
    for file in component/src host/src host/tests/probe/src host/tests/probe-artifact/src; do \
        echo "$library" > "$file/lib.rs"; \
    done; \
    for file in artifact/src/main.rs bench/benches/parts.rs bench/src/main.rs bench/src/bin/native.rs component/build.rs \
            host/build/main.rs host/src/main.rs host/tests/probe-artifact/build.rs; do \
        echo "$program" > "$file"; \
    done; \
    echo "$library" | tee host/tests/load.rs host/tests/ops.rs > host/tests/stock.rs; \
    cargo fetch --locked

# Gate: no crate that is known to be vulnerable, none from elsewhere, none under another licence.
ARG ADVISORY_DB=https://github.com/RustSec/advisory-db
COPY deny.toml ./
RUN make audit ADVISORY_DB="$ADVISORY_DB" || { echo "GATE audit: a dependency is not acceptable" >&2; exit 1; }

# The tests are measured in the folder where the lints have their dependencies, and with the flags that those have;
# nothing else is run from it.
ENV CARGO_LLVM_COV_TARGET_DIR=/src/target \
    RUSTFLAGS="-C llvm-args=-runtime-counter-relocation"
RUN make dependencies

# What is copied may be older than what was built on the empty crates, and cargo goes by the time.
COPY . .
RUN find artifact bench component host wit -type f -exec touch {} +

RUN make format || { echo "GATE format: run cargo fmt" >&2; exit 1; }
RUN make lint || { echo "GATE lint: clippy has warnings, or the component imports what the world does not name" >&2; exit 1; }
RUN make coverage || { echo "GATE tests: a test fails, or a line of component or host is not covered" >&2; exit 1; }
RUN make binary sbom
RUN make audit-binary ADVISORY_DB="$ADVISORY_DB" || { echo "GATE audit: the binary holds what is not acceptable" >&2; exit 1; }

# Baked into what needs no grant. The time of a file is part of its layer, and so it is always the same.
ARG APP_VERSION
ARG COMMIT_SHA
ARG SOURCE_DATE_EPOCH=0
RUN make standalone && touch --date=@0 target/status-host

# What is made beside the image, to be copied out: in a folder, because docker leaves files of its own at the top.
FROM scratch AS artifacts
COPY --from=build /src/target/component.wasm /src/target/component-standalone.wasm /artifacts/
COPY --from=build /src/target/oci /artifacts/oci/
COPY --from=build /src/target/sbom /artifacts/sbom/

FROM scratch
ARG APP_VERSION
ARG COMMIT_SHA
ARG CREATED
ARG SOURCE
ARG DIRTY
COPY --from=build /src/target/status-host /status-host
ENV APP_VERSION=${APP_VERSION} \
    COMMIT_SHA=${COMMIT_SHA} \
    ADMIN=0.0.0.0:9090
LABEL org.opencontainers.image.title="status-app" \
      org.opencontainers.image.description="Tells which version of itself is running" \
      org.opencontainers.image.version="${APP_VERSION}" \
      org.opencontainers.image.revision="${COMMIT_SHA}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      status-app.dirty="${DIRTY}"
USER 65532:65532
EXPOSE 5000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 CMD ["/status-host", "healthcheck"]
ENTRYPOINT ["/status-host"]
