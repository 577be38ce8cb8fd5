# Checks, builds and packages one commit. ./build.sh passes version and commit; needs BuildKit.
#
#   tools ─┬─▶ gates ─┬─▶ artifacts ─▶ image
#          └─▶ build ─┘
#
# Tools, gates and build run on the machine that builds; only `build` compiles for another platform.

# Needs rustup, make, a C compiler and, for another platform, the package manager of Debian.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-bookworm
FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS tools
WORKDIR /src
ENV CARGO_HOME=/cargo CARGO_INSTALL_ROOT=/tools CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never \
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG=0
COPY rust-toolchain.toml ci/tools.txt ./
RUN --mount=type=cache,id=status-app-cargo,target=/cargo \
    --mount=type=cache,id=status-app-tools,target=/src/target,sharing=locked \
    rustup --quiet toolchain install --no-self-update && \
    CARGO_TARGET_DIR=target xargs --arg-file=tools.txt cargo install --quiet --locked --profile dev

# The files that a build reads. Any other change keeps its results.
FROM scratch AS source
COPY Cargo.lock Cargo.toml Makefile VERSION.txt deny.toml rust-toolchain.toml rustfmt.toml /
COPY bench /bench
COPY ci/build-binary ci/run-parts ci/tools.txt /ci/
COPY component /component
COPY deploy/kubernetes/deployment.yaml /deploy/kubernetes/
COPY docs/configuration.md /docs/
COPY host /host
COPY wit /wit

# Cargo compares modification times, and its cache outlives the source: without `touch`, an older commit would be taken
# for the one in the cache. So `touch` belongs in each RUN that runs Cargo.
FROM tools AS gates
COPY --from=source / ./
ARG ADVISORY_DB=https://github.com/RustSec/advisory-db
RUN --mount=type=cache,id=status-app-cargo,target=/cargo \
    --mount=type=cache,id=status-app-gates,target=/src/target,sharing=locked \
    --mount=type=tmpfs,target=/cargo/advisory-dbs \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    ci/run-parts audit lint coverage && \
    cp target/coverage.txt /

FROM tools AS build
ARG BUILDARCH TARGETARCH
# Debian's C library for the architecture itself: the one for cross compilers gets no security updates.
RUN [ "$BUILDARCH" = "$TARGETARCH" ] || { \
        case $TARGETARCH in amd64) machine=x86-64 ;; arm64) machine=aarch64 ;; esac && \
        dpkg --add-architecture "$TARGETARCH" && apt-get update -qq && \
        apt-get install -qq --no-install-recommends > /dev/null "gcc-$machine-linux-gnu" "libc6-dev:$TARGETARCH"; }
COPY --from=source / ./
RUN --mount=type=cache,id=status-app-cargo,target=/cargo \
    --mount=type=cache,id=status-app-build,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    make binary ARCHITECTURE="$TARGETARCH" && \
    mkdir /out && cp --preserve=timestamps target/status-host target/component.wasm target/sbom.cdx.json /out
ARG APP_VERSION COMMIT_SHA
RUN --mount=type=cache,id=status-app-cargo,target=/cargo \
    --mount=type=cache,id=status-app-build,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    make standalone && \
    cp target/component-standalone.wasm /out

# The report exists only if all gates passed.
FROM scratch AS artifacts
COPY --from=gates /coverage.txt /
COPY --from=build /out /

# What `make check-PART` runs: make PART, with the files that ship and the cache of the gates.
FROM gates AS check-run
RUN apt-get update -qq && \
    apt-get install -qq --no-install-recommends prometheus python3-venv slowhttptest > /dev/null
COPY --from=artifacts / /artifacts
COPY . .
ARG PART APP_VERSION COMMIT_SHA
RUN --mount=type=cache,id=status-app-cargo,target=/cargo \
    --mount=type=cache,id=status-app-gates,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    STATUS_HOST=/artifacts/status-host STANDALONE=/artifacts/component-standalone.wasm make "$PART"
FROM scratch AS check
COPY --from=check-run /src/VERSION.txt /

# `make check-lint-targets`, with the cache of the build, which has most of its dependencies.
FROM build AS check-targets-run
RUN --mount=type=cache,id=status-app-cargo,target=/cargo \
    --mount=type=cache,id=status-app-build,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    make lint-targets
FROM scratch AS check-targets
COPY --from=check-targets-run /src/VERSION.txt /

FROM scratch AS image
COPY --from=artifacts /status-host /
ARG APP_VERSION
ARG COMMIT_SHA
ENV APP_VERSION=${APP_VERSION} \
    COMMIT_SHA=${COMMIT_SHA} \
    ADMIN=[::]:9090
LABEL org.opencontainers.image.title="status-app" \
      org.opencontainers.image.description="HTTP service that reports its own version and Git commit" \
      org.opencontainers.image.version="${APP_VERSION}" \
      org.opencontainers.image.revision="${COMMIT_SHA}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 5000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 CMD ["/status-host", "healthcheck"]
ENTRYPOINT ["/status-host"]
