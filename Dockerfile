# Builds, checks and packages status-app. Each RUN is a gate: if it fails, there is no image.
# Only syntax that the classic builder, BuildKit, Podman and kaniko share.

# The base image needs rustup, git, make and a C compiler. build.sh sets it and describes how to pin it by digest. The
# default is not a valid name: `docker build .` stops here and prints it.
ARG RUST_IMAGE="run ./build.sh instead: it passes the base image, the version and the commit"
FROM ${RUST_IMAGE} AS tools

WORKDIR /src
ENV CARGO_INCREMENTAL=0 \
    CARGO_PROFILE_DEV_DEBUG=0 \
    CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG=0 \
    CARGO_TERM_COLOR=never

# Mirrors for toolchain and crates, see docs/private-registries.md.
ARG RUSTUP_DIST_SERVER
ARG CRATES

# Cached until a version of the toolchain or of a tool changes. The source of the tools would slow each later step.
COPY rust-toolchain.toml Makefile ./
COPY ci/run-parts ci/
RUN { [ -z "$CRATES" ] || { mkdir /.cargo && printf '[source.%s]\n%s = "%s"\n' crates-io replace-with mirror \
        mirror registry "$CRATES" > /.cargo/config.toml; }; } && \
    ci/run-parts tools && \
    rm -rf "${CARGO_HOME:-$HOME/.cargo}/registry/src"

# The manifests, the scripts, and an empty program for each crate root.
FROM ${RUST_IMAGE} AS manifests
WORKDIR /manifests
COPY . .
RUN printf '#![allow(dead_code, missing_docs, reason = "stub")]\nfn main() {}\n' > /stub.rs && rm -rf vendor && \
    find . -type f ! -name 'Cargo.*' ! -name deny.toml ! -name build.rs ! -name lib.rs ! -name main.rs \
        ! -path '*/benches/*.rs' ! -path '*/src/bin/*.rs' ! -path './fuzz/*.rs' ! -path './ci/*' \
        ! -path './supply-chain/*' -delete && \
    find . -type d -empty -delete && find . -name '*.rs' -exec cp /stub.rs {} \;

# From here the build needs no network if vendor/ holds the crates and ADVISORY_DB is in the base image. Up to the next
# COPY it is cached until a manifest changes.
FROM tools AS gates
COPY vendor vendor
COPY --from=manifests /manifests ./
ARG ADVISORY_DB=https://github.com/RustSec/advisory-db
# With one directory and the same flags, lint and coverage share their dependencies.
ENV ADVISORY_DB=${ADVISORY_DB} \
    CARGO_LLVM_COV_TARGET_DIR=/src/target \
    RUSTFLAGS="-C llvm-args=-runtime-counter-relocation"
RUN { [ ! -e vendor/config.toml ] || { mkdir .cargo && mv vendor/config.toml .cargo/; }; } && \
    ci/run-parts audit dependencies

# Cargo compares modification times: the source has to be newer than the build of the empty programs.
COPY . .
RUN find bench component fuzz host wit -type f -exec touch {} + && \
    ci/run-parts audit lint coverage

# The binary, for this machine or for RUST_TARGET.
FROM gates AS build
ARG RUST_TARGET
RUN ci/cross-compiler "$RUST_TARGET" && \
    ci/run-parts binary sbom

# The only step that depends on the commit.
ARG APP_VERSION
ARG COMMIT_SHA
RUN ci/run-parts standalone

# The artifacts that build.sh copies out. In a directory, because docker adds files at the top.
FROM scratch AS artifacts
COPY --from=build /src/target/status-host /src/target/component.wasm /src/target/component-standalone.wasm /artifacts/
COPY --from=build /src/target/sbom /artifacts/sbom/

# The copy comes first: with the classic builder, an earlier step would give the image the platform of this machine.
FROM scratch
COPY --from=build /src/target/status-host /status-host
ARG APP_VERSION
ARG COMMIT_SHA
ARG DIRTY
ENV APP_VERSION=${APP_VERSION} \
    COMMIT_SHA=${COMMIT_SHA} \
    ADMIN=[::]:9090
# build.sh adds the labels created, source and those of the base image, if it knows their values.
LABEL org.opencontainers.image.title="status-app" \
      org.opencontainers.image.description="HTTP service that reports its own version and Git commit" \
      org.opencontainers.image.version="${APP_VERSION}" \
      org.opencontainers.image.revision="${COMMIT_SHA}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      status-app.dirty="${DIRTY}"
USER 65532:65532
EXPOSE 5000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 CMD ["/status-host", "healthcheck"]
ENTRYPOINT ["/status-host"]
