#!/usr/bin/env bash
# Builds the image. All gates run inside the build, so an image exists only if it passed them.
#
#   ./build.sh [arguments for docker build]
#
# Tags anz_test:<sha>, anz_test2:<sha> and anz_test2:latest; if PROJECT_ID is set, as on Cloud Build, only
# gcr.io/$PROJECT_ID/anz_test2:<sha>. Further variables:
#
#   RUST_DIGEST   digest of the base image, sha256:<64 hexadecimal digits>, as `docker pull` prints it: pins the image
#   RUST_IMAGE    another base image, such as one from a mirror
#   COMMIT_SHA    the commit, if this is not a git checkout
#   ARTIFACTS     directory that receives the binary, both components, the SBOMs and the provenance; needs python3
#   STAGE         builds only this stage of the Dockerfile, as status-app-<stage>
#
# --platform linux/amd64 or linux/arm64 builds the image for that platform, whatever this machine is, and adds -amd64 or
# -arm64 to the tags. The gates and the compiler run natively.
set -euo pipefail

fail() {
    echo "build.sh: $1" >&2
    exit 1
}
warn() { echo "build.sh: warning: $1" >&2; }

platform='' arguments=() single=''
while [ $# -gt 0 ]; do
    case $1 in
        --platform) set -- "--platform=${2:-}" "${@:3}" && continue ;;
        --platform=) fail "--platform has no value; expected linux/amd64 or linux/arm64" ;;
        --platform=*) platform=${1#*=} ;;
        *RUST_IMAGE=* | *RUST_TARGET=* | *APP_VERSION=* | *COMMIT_SHA=* | *DIRTY=*)
            fail "\`$1\` is not an argument; set the variable, or --platform"
            ;;
        -t* | --tag | --tag=* | --target | --target=* | --iidfile | --iidfile=* | --no-cache | --no-cache=*)
            single=$1 arguments+=("$1")
            ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
# RUST_TARGET is empty for the target of the machine that builds.
case $platform in
    '') target='' ;;
    linux/amd64) target=x86_64-unknown-linux-gnu ;;
    linux/arm64 | linux/arm64/v8) target=aarch64-unknown-linux-gnu ;;
    *) fail "--platform is \`$platform\`; expected linux/amd64 or linux/arm64" ;;
esac
if [ -n "${ARTIFACTS:-}" ]; then
    mkdir -p "$ARTIFACTS" || fail "cannot create the directory ARTIFACTS=\`$ARTIFACTS\`; name another one"
    ARTIFACTS=$(realpath "$ARTIFACTS")
fi
# ARTIFACTS and --platform make two builds with the same arguments, and the second one only copies from the first.
[ -z "$single" ] || [ -z "${ARTIFACTS:-}$platform" ] ||
    fail "$single cannot be combined with ARTIFACTS or --platform; remove one of them"
cd "$(dirname "${BASH_SOURCE[0]}")"

base=${RUST_IMAGE:-docker.io/library/rust:1.95.0-bookworm}
if [ -n "${RUST_DIGEST:-}" ]; then
    [[ $RUST_DIGEST =~ ^sha256:[0-9a-f]{64}$ ]] ||
        fail "RUST_DIGEST is \`$RUST_DIGEST\`; expected sha256: and 64 hexadecimal digits"
    base=${base%%@*}@$RUST_DIGEST
fi

command -v docker > /dev/null || fail "docker is missing; install Docker Engine, https://docs.docker.com/engine/install"
docker version > /dev/null 2>&1 || fail "the docker daemon does not respond; start it, or set DOCKER_HOST"
# Without a target, the steps of a build without --platform are found in the cache.
[ "$platform" != "$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}')" ] || target=''

# An image that is here already is named by its digest, or by its identifier if it comes from no registry.
base_id=''
if [[ $base != *@* && " ${arguments[*]-}" != *" --pull"* ]]; then
    known=$(docker image inspect --format '{{.Id}} {{range .RepoDigests}}{{.}} {{end}}' "$base" 2> /dev/null || true)
    read -r base_id digest _ <<< "$known"
    [ -z "$digest" ] || base=$base@${digest#*@} base_id=''
fi
[[ $base == *@* ]] || warn "the base image $base is not pinned; set RUST_DIGEST to its digest"
base_digest=$(sed -n 's/.*@//p' <<< "$base")

dirty=unknown created='' source=''
# Only if this directory is the top of a checkout, not if it lies inside another one.
if [ -e .git ] && [ "$(git rev-parse --show-toplevel)" = "$(pwd -P)" ]; then
    sha=$(git rev-parse --verify --quiet HEAD) || fail "this repository has no commit; create one"
    created=$(git show --no-patch --format=%cI HEAD)
    dirty=false
    # Only a URL, and without the password or token that may be in it.
    source=$(git config --get remote.origin.url | sed 's|//[^/]*@|//|' || true)
    [[ $source =~ ^(https?|ssh|git)://[^@?#[:space:]]+$ ]] || source=''
    if [ -n "$(git status --porcelain)" ]; then
        dirty=true
        warn "the work tree differs from commit $sha; the image is labelled as dirty"
    fi
else
    # For example because of its owner: git has printed the reason and the remedy.
    [ ! -e .git ] || warn "git does not read this checkout; local changes are not detected"
    sha=${COMMIT_SHA:-}
    [ -n "$sha" ] || fail "this is not a checkout that git reads; set COMMIT_SHA to the commit of this source"
    [[ $sha =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]] ||
        fail "COMMIT_SHA is \`$sha\`; expected a full commit, 40 hexadecimal digits"
fi
version=$(ci/version)

tags=("anz_test:$sha" "anz_test2:$sha" anz_test2:latest)
[ -z "${PROJECT_ID:-}" ] || tags=("gcr.io/$PROJECT_ID/anz_test2:$sha")
[ -z "$platform" ] || tags=("${tags[@]/%/-$(cut -d/ -f2 <<< "$platform")}")

# Without --load, a builder of BuildKit may leave the image in its cache. The classic builder has no such option.
load=''
[[ $(docker build --help 2>&1) != *--load* ]] || load=--load
# build <directory> <arguments>
build() {
    docker build ${load:+"$load"} --build-arg "RUST_IMAGE=$base" --build-arg "RUST_TARGET=$target" \
        --build-arg "APP_VERSION=$version" --build-arg "COMMIT_SHA=$sha" --build-arg "DIRTY=$dirty" \
        "--label=org.opencontainers.image.base.name=${base%%@*}" \
        ${base_digest:+"--label=org.opencontainers.image.base.digest=$base_digest"} \
        ${base_id:+"--label=status-app.base-image-id=$base_id"} \
        ${created:+"--label=org.opencontainers.image.created=$created"} \
        ${source:+"--label=org.opencontainers.image.source=$source"} \
        ${arguments[@]+"${arguments[@]}"} "${@:2}" "$1"
}

if [ -n "${STAGE:-}" ]; then
    build . --target "$STAGE" --tag "status-app-$STAGE"
    exit
fi

# copy_artifacts <directory>
copy_artifacts() {
    build . --target artifacts --tag "anz_test_artifacts:$sha"
    container=$(docker create "anz_test_artifacts:$sha" none)
    docker cp "$container:/artifacts/." "$1/"
    docker rm "$container" > /dev/null
    docker rmi "anz_test_artifacts:$sha" > /dev/null
}

if [ -z "$platform" ]; then
    build . "${tags[@]/#/--tag=}"
    [ -z "${ARTIFACTS:-}" ] || copy_artifacts "$ARTIFACTS"
else
    # The classic builder cannot copy between stages of two platforms. So the last stage is built from the artifacts.
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    copy_artifacts "$work"
    [ -z "${ARTIFACTS:-}" ] || cp -pR "$work/." "$ARTIFACTS"
    sed -n -e 's|--from=build /src/target/||' -e '/^FROM scratch$/,$p' Dockerfile > "$work/Dockerfile"
    build "$work" --platform "$platform" --file "$work/Dockerfile" "${tags[@]/#/--tag=}"
fi
for tag in "${tags[@]}"; do
    docker image inspect "$tag" > /dev/null || fail "docker has no image $tag; build with a builder that keeps it"
done
printf 'built %s\n' "${tags[@]}"
if [ -n "${ARTIFACTS:-}" ]; then
    ci/provenance "$ARTIFACTS" "${tags[0]}" > "$ARTIFACTS/provenance.tmp"
    mv "$ARTIFACTS/provenance.tmp" "$ARTIFACTS/provenance.json"
    echo "copied the artifacts to $ARTIFACTS"
fi
