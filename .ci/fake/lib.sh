# shellcheck shell=bash disable=SC2154 # work and top are of lib.sh
# A Cloud Run to deploy to, on this machine: gcloud and docker that stand in, and a server of what is deployed. Comes
# after lib.sh.

for package in cloudcoil.models.prometheus_operator jsonschema kubernetes_validate yaml; do
    python3 -c "import $package" 2> /dev/null ||
        { echo "$package is missing; install .ci/requirements-deploy.txt, or run make test-deploy" >&2; exit 1; }
done

# Neither a cluster nor an account that is set up on this machine has a part in this.
export FAKE=$work/fake KUBECONFIG=/dev/null CLOUDSDK_CONFIG=$work/none
mkdir "$FAKE"
echo '{}' > "$FAKE/state.json"
finish() {
    kill "$server" 2> /dev/null || true
    rm -rf "$work"
}
"$top/.ci/fake/cloud-run" &
server=$!
trap finish EXIT
for _ in $(seq 100); do
    [ ! -s "$FAKE/port" ] || break
    sleep 0.1
done
port=$(< "$FAKE/port")

version=$(tr -d '[:space:]' < VERSION.txt)
commit_of() { sha1sum <<< "$1" | cut -d' ' -f1; }
runs=0
# fresh [<whether everyone may call> <JSON list of the accounts that may>]: a project without any service.
fresh() {
    runs=$((runs + 1))
    : > "$FAKE/calls"
    printf '{"run": %s, "port": %s, "project": "a-project", "region": "us-central1", "public": %s, "accounts": %s,
        "services": {}, "pushed": {}}' "$runs" "$port" "${1:-true}" "${2:-[]}" > "$FAKE/state.json"
}
# deploy <commit> [NAME=VALUE...]: the deploy step of cloudbuild.yaml, in what it runs and with what it sets.
deploy() {
    local line command
    line=$(.ci/cloudbuild-steps cloudbuild.yaml "$1" _DEPLOY=cloud-run | grep '"id": "deploy"')
    mapfile -t command < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1])["command"], sep="\n")' "$line")
    # The variables of the step, and after them those of the test.
    env "PATH=$top/.ci/fake:$PATH" PUSHED_VERSION="$version" PUSHED_COMMIT="$1" ATTEMPTS=3 PAUSE=0.1 ANSWER_TIMEOUT=1 \
        GCLOUD_TIMEOUT=10 "${command[@]:0:${#command[@]}-2}" "${@:2}" "${command[@]: -2}"
}
