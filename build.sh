#!/usr/bin/env bash
# Builds the image: every gate runs inside the build, and what comes out has passed them all.
#
#   ./build.sh [arguments for docker build]
#
# Tags anz_test:<sha>, anz_test2:<sha> and anz_test2:latest; with PROJECT_ID set, as Cloud Build sets it,
# gcr.io/$PROJECT_ID/anz_test2:<sha> instead. The commit comes from git, or from COMMIT_SHA (and its time, in seconds since
# 1970, from SOURCE_DATE_EPOCH) where there is no .git. With ARTIFACTS set, what is made beside the image is copied into
# that folder.
set -euo pipefail

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

if [ -n "${ARTIFACTS:-}" ]; then
    mkdir -p "$ARTIFACTS" || fail "ARTIFACTS is \`$ARTIFACTS\`, which is no folder that can be written to; name another"
    ARTIFACTS=$(realpath "$ARTIFACTS")
    # Both builds get the arguments, and the second is only a copy of the first.
    for argument in "$@"; do
        case $argument in
            -t | -t=* | --tag | --tag=* | --target | --target=* | --iidfile | --iidfile=* | --no-cache | --no-cache=*)
                fail "$argument does not go with ARTIFACTS; build without one of them"
                ;;
        esac
    done
fi
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v docker > /dev/null || fail "there is no docker client; install Docker Engine, https://docs.docker.com/engine/install"
docker version > /dev/null 2>&1 || fail "the docker daemon does not answer; start it, or name another with DOCKER_HOST"

dirty=unknown
created=
epoch=${SOURCE_DATE_EPOCH:-0}
source=
# Of this folder itself, and not of one that it happens to lie in.
if [ "$(git rev-parse --show-toplevel 2> /dev/null)" = "$(pwd -P)" ]; then
    sha=$(git rev-parse --verify --quiet HEAD) || fail "this repository has no commit; make one"
    created=$(git show --no-patch --format=%cI HEAD)
    epoch=$(git show --no-patch --format=%ct HEAD)
    dirty=false
    # Of a URL that holds a password or a token, neither belongs into a label.
    source=$(git config --get remote.origin.url | sed 's|//[^/]*@|//|' || true)
    if [ -n "$(git status --porcelain)" ]; then
        dirty=true
        echo "build.sh: warning: the work tree differs from commit $sha; the image is labelled as dirty" >&2
    fi
else
    sha=${COMMIT_SHA:-}
    [ -n "$sha" ] || fail "this is no git checkout; set COMMIT_SHA to the commit that it was taken from"
    [[ $sha =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]] ||
        fail "COMMIT_SHA is \`$sha\`; set it to a whole commit, 40 hexadecimal digits"
fi

version=$(tr -d '[:space:]' < VERSION.txt)
[ -n "$version" ] || fail "VERSION.txt is empty; write the version into it"

if [ -n "${PROJECT_ID:-}" ]; then
    tags=("gcr.io/$PROJECT_ID/anz_test2:$sha")
else
    tags=("anz_test:$sha" "anz_test2:$sha" "anz_test2:latest")
fi

build() {
    docker build \
        --build-arg "APP_VERSION=$version" \
        --build-arg "COMMIT_SHA=$sha" \
        --build-arg "CREATED=$created" \
        --build-arg "SOURCE_DATE_EPOCH=$epoch" \
        --build-arg "SOURCE=$source" \
        --build-arg "DIRTY=$dirty" \
        "$@" .
}

build "${tags[@]/#/--tag=}" "$@"
printf 'built %s\n' "${tags[@]}"

# All of it is built by now, so that this is a copy.
if [ -n "${ARTIFACTS:-}" ]; then
    build --target artifacts --tag "anz_test_artifacts:$sha" "$@"
    container=$(docker create "anz_test_artifacts:$sha" none)
    trap 'docker rm "$container" > /dev/null; docker rmi "anz_test_artifacts:$sha" > /dev/null' EXIT
    rm -rf "$ARTIFACTS"/{oci,sbom}
    docker cp "$container:/artifacts/." "$ARTIFACTS/"
    echo "left the artifacts in $ARTIFACTS"
fi
