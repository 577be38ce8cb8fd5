# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source it use $address and $admin
# Shared by the tests in this directory. Sets $work, a directory. On exit it is removed, and background jobs are killed.

failed=0
work=$(mktemp -d)
containers=()
finish() {
    jobs -p | xargs --no-run-if-empty kill 2> /dev/null || true
    [ ${#containers[@]} = 0 ] || docker rm --force --volumes "${containers[@]}" > /dev/null
    rm -rf "$work"
}
trap finish EXIT

# check <expectation> <command>: prints the output of the command if it fails.
check() {
    if "${@:2}" > "$work/check.log" 2>&1; then
        echo "ok      $1"
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
        tail -n 40 "$work/check.log" | sed 's/^/        /'
    fi
}
equal() { [ "$1" = "$2" ] || { echo "\`$1\` is not \`$2\`"; return 1; }; }
contains() { grep -qF -- "$2" <<< "$1" || { printf 'no "%s" in: %s\n' "$2" "$1"; return 1; }; }
at_most() { [ "$1" -le "$2" ] || { echo "$1 is more than $2"; return 1; }; }

# start <arguments of docker run>: starts a container, and sets $container, $address and $admin.
start() {
    container=$(docker run --detach --publish 127.0.0.1::5000 --publish 127.0.0.1::9090 "$@")
    containers+=("$container")
    address=$(docker port "$container" 5000/tcp)
    admin=$(docker port "$container" 9090/tcp)
    curl --silent --fail --output /dev/null --retry 60 --retry-all-errors --retry-delay 1 "http://$admin/readyz"
}

# wait_for_address <log> <regular expression>: sets $address to the first group, once the log of a server matches.
wait_for_address() {
    touch "$1" # the server may not have created it yet
    for _ in $(seq 600); do
        address=$(sed -nE "s|.*$2.*|\1|p" "$1")
        [ -z "$address" ] || return 0
        sleep 0.1
    done
    cat "$1" >&2 && return 1
}

summary() {
    [ "$failed" = 0 ] || { echo "$failed checks failed"; exit 1; }
}
