#!/usr/bin/env bash
# Deploys the image of a commit to Cloud Run, as service.yaml describes it. The revision is made without traffic and
# asked for /status under an address of its own; only if it tells this commit and version does the traffic move to it.
# Where anything fails before that, what served goes on serving.
#
# cloudbuild.yaml sets what is read here:
#   DEPLOY        cloud-run; nothing is done for none, or where it is empty
#   PROJECT_ID, REGION, SERVICE
#   COMMIT_SHA    the commit that was built; its image is at hand and not yet pushed
#   INVOKER       the service account to ask /status as; needed where the service does not let everyone in
#   ATTEMPTS, PAUSE, ANSWER_TIMEOUT, GCLOUD_TIMEOUT
#                 bounds of the waiting: 12 times, 5, 10 and 600 seconds
# shellcheck disable=SC2034 # what is filled in is read through its name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
    echo "deploy.sh: $1" >&2
    exit 1
}

[ $# = 0 ] || fail "there is an argument, \`$1\`; all is told by variables, see cloudbuild.yaml"
case ${DEPLOY:-none} in
    none)
        echo "not deployed: _DEPLOY is not cloud-run"
        exit
        ;;
    cloud-run) ;;
    *) fail "_DEPLOY is \`$DEPLOY\`; set it to cloud-run, or to none" ;;
esac

for variable in PROJECT_ID COMMIT_SHA REGION SERVICE; do
    [ -n "${!variable:-}" ] || fail "$variable is not set; cloudbuild.yaml has the names of all that have to be"
done
[[ $COMMIT_SHA =~ ^[0-9a-f]{40}$ ]] || fail "COMMIT_SHA is \`$COMMIT_SHA\`; set it to a whole commit, 40 hexadecimal digits"
[[ $REGION =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || fail "_REGION is \`$REGION\`; set it to a region, such as us-central1"
# With a tag and what Cloud Run adds, it has to fit into a label of a host name.
[[ $SERVICE =~ ^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$ ]] ||
    fail "_SERVICE is \`$SERVICE\`; set it to at most 30 lower-case letters, digits and hyphens, a letter first"
for tool in curl docker gcloud python3; do
    command -v "$tool" > /dev/null || fail "there is no $tool; run this in the image that cloudbuild.yaml names"
done

version=$(tr -d '[:space:]' < ../../VERSION.txt)
image=gcr.io/$PROJECT_ID/anz_test2
tag=sha-${COMMIT_SHA:0:12}
kept="the traffic stays where it was"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
    timeout "${GCLOUD_TIMEOUT:-600}" gcloud run "$@" --project="$PROJECT_ID" --region="$REGION" --quiet
}
describe() {
    run services describe "$SERVICE" --format=json > "$work/service" ||
        fail "cannot read the service $SERVICE, gcloud says why above; $kept"
}
# Runs Python on the service as it was described, with these arguments.
of_service() {
    python3 -c 'import json, sys
service, arguments = json.load(open(sys.argv[1])), sys.argv[3:]
targets = service["status"].get("traffic", [])
serving = [target["revisionName"] for target in targets if target.get("percent") and target.get("revisionName")]
exec(sys.argv[2])' "$work/service" "$@"
}

# What is deployed is what was pushed here, whatever happens to the tag.
docker push "$image:$COMMIT_SHA" | tee "$work/push" ||
    fail "cannot push $image:$COMMIT_SHA, docker says why above; $kept"
digest=$(sed -n 's/^.*: digest: \(sha256:[0-9a-f]\{64\}\) size: [0-9]*$/\1/p' "$work/push")
[ -n "$digest" ] || fail "docker told no digest when it pushed $image:$COMMIT_SHA; $kept"

present=$(run services list --filter="metadata.name=$SERVICE" --format='value(metadata.name)') ||
    fail "cannot list the services in $REGION of $PROJECT_ID, gcloud says why above; $kept"
serving=
if [ -n "$present" ]; then
    describe
    serving=$(of_service 'print(*serving)')
fi
if [ -z "$serving" ]; then
    kept="nothing served before"
fi

base=$SERVICE-${COMMIT_SHA:0:12}
if [[ $serving =~ ^$base(-[0-9]+)?$ ]]; then
    REVISION=$serving
    echo "$REVISION serves already, and is only tested"
    # Someone may have taken its address away.
    run services update-traffic "$SERVICE" --update-tags="$tag=$REVISION" ||
        fail "cannot tag the revision $REVISION, gcloud says why above; $kept"
else
    # A name is used once: a revision that failed is not tried again under it.
    REVISION=$base
    if [ -n "$present" ]; then
        revisions=$(run revisions list --service="$SERVICE" --format='value(metadata.name)') ||
            fail "cannot list the revisions of $SERVICE, gcloud says why above; $kept"
        attempt=1
        while grep -qxF -- "$REVISION" <<< "$revisions"; do
            attempt=$((attempt + 1))
            REVISION=$base-$attempt
        done
    fi

    # Shares stay as they are, and tags that others gave. Of the tags made here those of the serving revisions stay, so
    # that they do not add up.
    if [ -n "$serving" ]; then
        TRAFFIC=$(of_service '
kept = [target for target in targets if target.get("revisionName")
        and (target["revisionName"] in serving or not target.get("tag", "sha-").startswith("sha-"))]
revision, tag = arguments
print(json.dumps([{key: target[key] for key in ("revisionName", "percent", "tag")
                   if target.get(key) and (key, target[key]) != ("tag", tag)} for target in kept]
                 + [{"revisionName": revision, "tag": tag}]))' "$REVISION" "$tag")
    else
        TRAFFIC="[{\"latestRevision\": true, \"percent\": 100, \"tag\": \"$tag\"}]"
    fi

    IMAGE=$image@$digest
    manifest=$(< service.yaml)
    for variable in IMAGE PROJECT_ID REVISION SERVICE TRAFFIC; do
        manifest=${manifest//"\${$variable}"/"${!variable}"}
    done
    printf '%s\n' "$manifest" > "$work/service.yaml"
    run services replace "$work/service.yaml" ||
        fail "the revision $REVISION did not become ready, gcloud says why above; $kept"
fi

describe
url=$(of_service '
print(next((target["url"] for target in targets if target.get("tag") == arguments[0]
            and target.get("revisionName") == arguments[1]), ""))' "$tag" "$REVISION")
[ -n "$url" ] || fail "the revision $REVISION has no address under the tag $tag; $kept"

# Prints a token for the service. Its audience is the address without the tag.
token() {
    local audience
    audience=$(of_service 'print(service["status"]["url"])')
    if [ -n "${INVOKER:-}" ]; then
        # What Cloud Build runs with gives no identity token of its own.
        gcloud auth print-identity-token --impersonate-service-account="$INVOKER" --include-email \
            --audiences="$audience" --quiet
    else
        gcloud auth print-identity-token --quiet
    fi
}

# A new address takes a while to be known, a new instance to start, and a new role to be in force: anything but an
# answer is asked for again.
: > "$work/headers"
for ((attempt = 1; ; attempt++)); do
    status=$(curl --silent --show-error --max-time "${ANSWER_TIMEOUT:-10}" --max-filesize 65536 --header "@$work/headers" \
        --output "$work/answer" --write-out '%{http_code}' "$url/status" 2> "$work/curl") || status=none
    case $status in
        200) break ;;
        none) problem="did not answer /status: $(tail -n 1 "$work/curl")" ;;
        *) problem="answered /status with $status" ;;
    esac
    if [[ $status = 40[13] ]] && [ ! -s "$work/headers" ]; then
        token > "$work/token" ||
            fail "no identity token, gcloud says why above; set _INVOKER to a service account that may call $SERVICE; $kept"
        # In a file, so that no list of processes shows it.
        echo "Authorization: Bearer $(< "$work/token")" > "$work/headers"
        continue
    fi
    [ "$attempt" -lt "${ATTEMPTS:-12}" ] || fail "the revision $REVISION $problem, after $attempt attempts; $kept"
    sleep "${PAUSE:-5}"
done

wrong=$(python3 -c 'import json, sys
answer, version, commit = sys.argv[1:]
try:
    told = json.load(open(answer))["myapplication"][0]
    for name, expected in ("lastcommitsha", commit), ("version", version):
        if told[name] != expected:
            sys.exit(print(f"the {name} {told[name]!r} and not {expected!r}"))
except (ValueError, LookupError, TypeError):
    print("something else than versions")' "$work/answer" "$version" "$COMMIT_SHA")
[ -z "$wrong" ] || fail "the revision $REVISION tells $wrong; $kept"
echo "$REVISION tells version $version of commit $COMMIT_SHA"

run services update-traffic "$SERVICE" --to-revisions="$REVISION=100" ||
    fail "cannot move the traffic to the revision $REVISION, gcloud says why above"
echo "$REVISION serves $SERVICE in $REGION of $PROJECT_ID"
