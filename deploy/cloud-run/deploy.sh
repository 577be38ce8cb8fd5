#!/usr/bin/env bash
# Deploys the image of a commit to Cloud Run, as service.yaml describes it. The revision is made without traffic and
# asked for /status under an address of its own; only if it tells this commit and version does the traffic move to it.
# Where anything fails before that, what served goes on serving. Where another deployment has moved it in the meantime, it
# stays there, and this one fails.
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
kept="this deployment moved no traffic"
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
targets = [target for target in service["status"].get("traffic", []) if target.get("revisionName")]
shares = {}
for target in targets:
    if target.get("percent"):
        shares[target["revisionName"]] = shares.get(target["revisionName"], 0) + target["percent"]
exec(sys.argv[2])' "$work/service" "$@"
}
# What serves, as <revision>=<percent>.
shares() {
    of_service 'print(*sorted("%s=%s" % share for share in shares.items()))'
}
# Another deployment ends where it wants to: what it moved is not moved back.
still() {
    local now
    now=$(shares)
    [ "$now" = "$1" ] ||
        fail "another deployment moved the traffic from ${1:-nothing} to ${now:-nothing} while this one ran; it stays there"
}
# Prints the address of the revision under its tag, or nothing.
address() {
    of_service '
print(next((target.get("url", "") for target in targets if target.get("tag") == arguments[0]
            and target["revisionName"] == arguments[1]), ""))' "$tag" "$REVISION"
}
list_revisions() {
    run revisions list --service="$SERVICE" --sort-by=metadata.creationTimestamp --format='value(metadata.name)'
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
    serving=$(shares)
fi
if [ -z "$serving" ]; then
    kept="nothing served before"
fi

base=$SERVICE-${COMMIT_SHA:0:12}
if [[ $serving =~ ^($base(-[0-9]+)?)=100$ ]]; then
    REVISION=${BASH_REMATCH[1]}
    echo "$REVISION serves already, and is only tested"
    # Someone may have taken its address away. What changes nothing is not called: it fails where a later revision has.
    if [ -z "$(address)" ]; then
        run services update-traffic "$SERVICE" --update-tags="$tag=$REVISION" ||
            fail "cannot tag the revision $REVISION, gcloud says why above; $kept"
    fi
else
    # A name is used once: a revision that failed is not tried again under it.
    REVISION=$base
    if [ -n "$present" ]; then
        revisions=$(list_revisions) ||
            fail "cannot list the revisions of $SERVICE, gcloud says why above; $kept"
        attempt=1
        while grep -qxF -- "$REVISION" <<< "$revisions"; do
            attempt=$((attempt + 1))
            REVISION=$base-$attempt
        done
    fi

    # What is replaced is what is there now, not what was there when the image was pushed.
    if [ -n "$present" ]; then
        describe
        still "$serving"
    fi
    # Shares and tags stay as they are: under any of these another deployment may still be asking.
    if [ -n "$serving" ]; then
        TRAFFIC=$(of_service '
revision, tag = arguments
kept = [{key: target[key] for key in ("revisionName", "percent", "tag")
         if target.get(key) and (key, target[key]) != ("tag", tag)} for target in targets]
print(json.dumps([target for target in kept if len(target) > 1] + [{"revisionName": revision, "tag": tag}]))
' "$REVISION" "$tag")
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
url=$(address)
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

# The very first revision serves from the start.
describe
still "${serving:-$REVISION=100}"
pinned=$(of_service '
print(*[target["revisionName"] for target in targets
        if target.get("percent") == 100 and not target.get("latestRevision")])')
if [ "$pinned" != "$REVISION" ]; then
    run services update-traffic "$SERVICE" --to-revisions="$REVISION=100" ||
        fail "cannot move the traffic to the revision $REVISION, gcloud says why above"
fi
echo "$REVISION serves $SERVICE in $REGION of $PROJECT_ID"

# So that tags do not add up, those made here for revisions older than all that served before this one are taken away: a
# deployment that is still asking one of these has been overtaken. It serves even where this fails.
if [ -z "$serving" ] || [[ $serving = "$REVISION=100" ]]; then
    exit
fi
revisions=$(list_revisions) || { echo "deploy.sh: the tags of older revisions stay, gcloud says why above" >&2; exit; }
old=$(of_service '
before, revisions = [share.partition("=")[0] for share in arguments[0].split()], arguments[1].split()
older = revisions[:min(map(revisions.index, before))] if set(before) <= set(revisions) else []
print(*[target["tag"] for target in targets
        if target.get("tag", "").startswith("sha-") and target["tag"] != arguments[2]
        and target["revisionName"] in older], sep=",")' "$serving" "$revisions" "$tag")
if [ -n "$old" ]; then
    run services update-traffic "$SERVICE" --remove-tags="$old" ||
        echo "deploy.sh: the tags of older revisions stay, gcloud says why above" >&2
fi
