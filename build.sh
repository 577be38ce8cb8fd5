#!/bin/bash -p
# Builds the image of the current commit, without changes that are not committed. The image exists only if every gate in
# the Dockerfile passed.
#
#   ./build.sh [arguments for docker build]
#
# The tags are anz_test:<commit>, anz_test2:<commit> and anz_test2:latest; if PROJECT_ID is set, as on Cloud Build, only
# gcr.io/$PROJECT_ID/anz_test2:<commit>. With --platform=linux/amd64 or linux/arm64, -amd64 or -arm64 is added.
#
#   COMMIT_SHA   the commit, if this directory is not a checkout
#   RUST_IMAGE   another base image than that of the Dockerfile
#   STAGE        builds this stage, without tags: STAGE=artifacts ./build.sh --output=target/image
set -euo pipefail
fail() { echo "build.sh: $1" >&2 && exit 1; }

# No other variable reaches git and docker.
for name in $(compgen -e); do
    case $name in
        COMMIT_SHA | HOME | PATH | PROJECT_ID | RUST_IMAGE | SSH_AUTH_SOCK | STAGE) ;;
        DOCKER_CERT_PATH | DOCKER_CONFIG | DOCKER_CONTEXT | DOCKER_HOST | DOCKER_TLS_VERIFY) ;;
        *) unset "$name" 2> /dev/null || export -n "${name?}" ;; # SHELLOPTS cannot be unset
    esac
done
export DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1 # attestations would make an index of each image
cd "$(dirname "$0")"

platform=linux/$(docker version --format '{{.Server.Arch}}') suffix=''
for argument; do
    case $argument in
        --platform=linux/amd64 | --platform=linux/arm64) platform=${argument#*=} suffix=-${argument##*/} ;;
        --platform*) fail "\`$argument\` is not supported; use --platform=linux/amd64 or --platform=linux/arm64" ;;
    esac
done

context=.
if [ -e .git ] && command -v git > /dev/null; then
    # Only this repository, and only its settings, with those that change an archive replaced.
    export GIT_DIR=.git GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 GIT_NO_REPLACE_OBJECTS=1
    archive() { git -c core.attributesFile=/dev/null -c core.autocrlf=false -c tar.umask=022 archive "$COMMIT_SHA"; }
    COMMIT_SHA=$(git rev-parse --verify "HEAD^{commit}")
    version=$(git cat-file blob "$COMMIT_SHA:VERSION.txt")
    [ -z "$(git status --porcelain --untracked-files=all)" ] ||
        echo "build.sh: warning: the image is that of commit $COMMIT_SHA, without the changes in the work tree" >&2
    context=-
else
    archive() { :; }
    version=$(< VERSION.txt)
fi
[[ ${COMMIT_SHA:-} =~ ^([0-9a-f]{40}|[0-9a-f]{64})$ ]] ||
    fail "COMMIT_SHA is \`${COMMIT_SHA:-}\`; set it to the commit of this source, 40 hexadecimal digits"
[[ $version =~ ^[[:graph:]]{1,256}$ ]] ||
    fail "VERSION.txt contains \`$version\`; expected only a version, such as 1.2.3"

tags=("anz_test:$COMMIT_SHA" "anz_test2:$COMMIT_SHA" anz_test2:latest)
[ -z "${PROJECT_ID:-}" ] || tags=("gcr.io/$PROJECT_ID/anz_test2:$COMMIT_SHA")
[ -z "${STAGE:-}" ] || tags=()
tags=("${tags[@]/%/$suffix}")
# The last value of an option applies: no argument replaces version, commit or stage.
archive | docker build ${RUST_IMAGE:+"--build-arg=RUST_IMAGE=$RUST_IMAGE"} "${tags[@]/#/--tag=}" "$@" \
    "--platform=$platform" "--target=${STAGE:-image}" \
    "--build-arg=APP_VERSION=$version" "--build-arg=COMMIT_SHA=$COMMIT_SHA" \
    "--label=org.opencontainers.image.version=$version" "--label=org.opencontainers.image.revision=$COMMIT_SHA" \
    "$context"
