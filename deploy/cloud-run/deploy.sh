#!/usr/bin/env bash
# Deploys the image of a commit to Cloud Run: creates a revision without traffic, checks the version and commit that its
# /status reports, then moves all traffic to it. On any failure the old revision keeps all traffic.
#
#   PROJECT_ID=... COMMIT_SHA=... deploy/cloud-run/deploy.sh
#
#   REGION, SERVICE                   region and name of the service: us-central1, status-app
#   INVOKER                           service account that calls /status, unless the service is public
#   PROVENANCE                        required, or skip for an image that no build trigger built
#   ATTEMPTS, PAUSE, ANSWER_TIMEOUT   limits of each wait: 12 attempts, 5 seconds apart, 10 seconds for an answer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
    echo "deploy.sh: $1" >&2
    exit 1
}

: "${PROJECT_ID:?set it to the Google Cloud project}" "${COMMIT_SHA:?set it to the commit of the image}"
[[ $COMMIT_SHA =~ ^[0-9a-f]{40}$ ]] || fail "COMMIT_SHA is \`$COMMIT_SHA\`; set it to 40 hexadecimal digits"
[[ ${PROVENANCE:=required} =~ ^(required|skip)$ ]] || fail "PROVENANCE is \`$PROVENANCE\`; set it to required or skip"
service=${SERVICE:-status-app}
version=$(../../ci/version)
repository=us-docker.pkg.dev/$PROJECT_ID/gcr.io/anz_test2
tag=sha-${COMMIT_SHA:0:12}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
    gcloud run "$@" --project="$PROJECT_ID" --region="${REGION:-us-central1}" --quiet
}
# Runs a command until it succeeds, a limited number of times.
retry() {
    local attempt
    for ((attempt = 1; attempt <= ${ATTEMPTS:-12}; attempt++)); do
        [ "$attempt" = 1 ] || sleep "${PAUSE:-5}"
        ! "$@" || return 0
    done
    return 1
}

# Cloud Run runs amd64. A tag can be overwritten: from here on the image is named by its digest.
image=$repository:$COMMIT_SHA-amd64
digest=$(gcloud artifacts docker images describe "$image" --format='value(image_summary.digest)') ||
    fail "found no image $image"

# Prints builder and commit of each SLSA 1.0 provenance that Artifact Registry has for the image.
provenance() {
    local build=provenance_summary.provenance.build.inTotoSlsaProvenanceV1.predicate
    gcloud artifacts docker images describe "$repository@$digest" --show-provenance \
        --flatten='provenance_summary.provenance[]' \
        --format="value($build.runDetails.builder.id,$build.buildDefinition.resolvedDependencies.digest.gitCommit)"
}
verify_provenance() {
    provenance > "$work/provenance" &&
        grep -q "^https://cloudbuild.googleapis.com/GoogleHostedWorker"$'\t'"$COMMIT_SHA" "$work/provenance"
}
[ "$PROVENANCE" = skip ] || retry verify_provenance || fail "found no provenance of $digest for commit $COMMIT_SHA"

# gcloud rejects --no-traffic for a service that does not exist yet: its first revision has all traffic.
traffic=(--no-traffic)
existing=$(run services list --filter="metadata.name=$service" --format='value(metadata.name)')
[ -n "$existing" ] || traffic=()
run deploy "$service" --image="$repository@$digest" "${traffic[@]}" --tag="$tag" --flags-file=flags.yaml \
    --service-account="status-app@$PROJECT_ID.iam.gserviceaccount.com" \
    --set-env-vars="GOOGLE_CLOUD_PROJECT=$PROJECT_ID" ||
    fail "the new revision did not become ready"

run services describe "$service" --flatten='status.traffic[]' --format='value(status.traffic.tag,status.traffic.url)' \
    > "$work/tags"
url=$(awk -v tag="$tag" '$1 == tag { print $2 }' "$work/tags")
[ -n "$url" ] || fail "the new revision has no address for the tag $tag"

# The token is valid for the address without the tag. It is in a file, because every process can read arguments.
: > "$work/headers"
if [ -n "${INVOKER:-}" ]; then
    audience=$(run services describe "$service" --format='value(status.url)')
    token=$(gcloud auth print-identity-token --impersonate-service-account="$INVOKER" --include-email \
        --audiences="$audience")
    echo "Authorization: Bearer $token" > "$work/headers"
fi
get_status() {
    curl --silent --show-error --fail --max-time "${ANSWER_TIMEOUT:-10}" --max-filesize 65536 \
        --header "@$work/headers" --output "$work/status" "$url/status"
}
retry get_status || fail "the new revision did not answer $url/status with 200"
grep -qF "\"version\":\"$version\",\"lastcommitsha\":\"$COMMIT_SHA\"" "$work/status" ||
    fail "the new revision does not report version $version and commit $COMMIT_SHA, but: $(head -c 200 "$work/status")"

run services update-traffic "$service" --to-tags="$tag=100" || fail "could not move the traffic to the new revision"
echo "version $version of commit $COMMIT_SHA has all traffic of $service"
run services update-traffic "$service" --remove-tags="$tag" || echo "deploy.sh: the tag $tag remains" >&2
