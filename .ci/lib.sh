# shellcheck shell=bash
# What the tests of the pipeline share: they count what passed, and name what did not.

passed=0
failed=0

# check <what is to be seen> <command that succeeds when it is>
check() {
    local what=$1
    shift
    if "$@" > "$work/check.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        tail -n 20 "$work/check.log" | sed 's/^/        /'
    fi
}

same() { [ "$1" = "$2" ] || { echo "$1 is not $2"; return 1; }; }
has() { grep -qF -- "$2" <<< "$1" || { printf 'no "%s" in: %s\n' "$2" "$1"; return 1; }; }
has_not() { ! has "$1" "$2" > /dev/null || { printf '"%s" in: %s\n' "$2" "$1"; return 1; }; }
at_most() { [ "$1" -le "$2" ] || { echo "$1 is more than $2"; return 1; }; }

# A copy of this checkout as it is committed, in $work/<name>.
copy() {
    rm -rf "${work:?}/$1"
    git clone --quiet "$top" "$work/$1"
}

# same_build <folder> <folder>: whether both hold the same of what is made of a commit.
same_build() {
    local made
    for made in status-host component.wasm component-standalone.wasm oci sbom; do
        diff --recursive "$1/$made" "$2/$made" | head -n 5 || { echo "$made differs between two builds of one commit"; return 1; }
    done
}

summary() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

top=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
