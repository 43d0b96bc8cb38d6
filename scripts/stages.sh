# What the scripts of every system share: stages that stop at the first failure, one exit code, one line of JSON at the end.
# shellcheck shell=bash
#
#   . "$(dirname "${BASH_SOURCE[0]}")/../stages.sh"
#   needs FAIRWAY_DB "the database, like sqlite:golf.db"
#   only_one state "$@"                  # one at a time; the second one ends with 69
#   must 'db-export --check'             # a failure ends the script
#   stage 'dg-fetch events | db-load listing'
#   always 'db-export'                   # also after a failure
#   ended

script=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)/$(basename "${BASH_SOURCE[1]}")
here=$(dirname "$script")
export FAIRWAY_SCHEMA="${FAIRWAY_SCHEMA:-$here/schema.toml}" FAIRWAY_RECIPE="${FAIRWAY_RECIPE:-$here/recipe.toml}"

status=0 began=$SECONDS began_at=${FAIRWAY_NOW:-$(date -u +%Y-%m-%dT%H:%M:%SZ)} work='' system=''
# Whatever ends the script, its last line says how.
trap 'code=$?; [ -z "$work" ] || rm -rf "$work"; run_line "$code"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
run_line() {
    printf '{"v":"fairway.run/1","system":"%s","script":"%s","began_at":"%s","seconds":%d,"exit":%d}\n' \
        "$system" "$(basename "$script")" "$began_at" $((SECONDS - began)) "$1"
}
refuse() { echo "$(basename "$script"): $1" >&2; exit 78; }

# Whose leases and runs these are is the schema's word. (In bash: a function's machine has neither sed nor awk.)
[ -f "$FAIRWAY_SCHEMA" ] || refuse "$FAIRWAY_SCHEMA: there is no such file (FAIRWAY_SCHEMA)"
section=''
while IFS= read -r line; do
    if [[ $line =~ ^[[:space:]]*\[([^]]*)\] ]]; then
        section=${BASH_REMATCH[1]}
    elif [ "$section" = schema ] && [[ $line =~ ^[[:space:]]*system[[:space:]]*=[[:space:]]*[\"\']([^\"\']*)[\"\'] ]]; then
        system=${BASH_REMATCH[1]}
        break
    fi
done < "$FAIRWAY_SCHEMA"
[ -n "$system" ] || refuse "$FAIRWAY_SCHEMA: it has no line like: system = \"golf\" below [schema]"

# A variable that must be set, and what to set it to.
needs() {
    [ -n "${!1:-}" ] || refuse "$1 is not set: set it to $2"
    export "${1?}"
}

# Only one at a time; the lease dies with this process and the programs that it started.
only_one() {
    local purpose=$1
    shift
    [[ ${FAIRWAY_LEASE:-} != "$system/$purpose/"* ]] || return 0
    trap - EXIT
    exec db-load lease "$purpose" --refused "$(run_line 69)" -- "$script" "$@"
}

# A folder that goes with the script. One that was killed leaves its folder, with all that it had read: the next script takes it away.
workspace() {
    # Processes are told apart by their numbers on one machine, and in one container, only.
    local where=${HOSTNAME:-here} left pid
    where=${where//[^a-zA-Z0-9-]/-}
    for left in "${TMPDIR:-/tmp}/fairway-work-$where".*.*; do
        pid=${left%.*} pid=${pid##*.}
        if [ -d "$left" ] && [ ! -L "$left" ] && [ -O "$left" ] && [[ $pid =~ ^[0-9]+$ ]] && ! kill -0 "$pid" 2> /dev/null; then
            rm -rf "$left" || true
        fi
    done
    work=$(mktemp -d "${TMPDIR:-/tmp}/fairway-work-$where.$$.XXXXXX")
}

# Runs a pipeline. Whatever fails first is how the script ends: of the pipeline, the first stage that failed, for those after it only
# saw its end. 1 is an answer, which the script itself asks for where it means something.
always() {
    local codes=() code
    set +e
    eval "$1"$'\n''codes=("${PIPESTATUS[@]}")'
    set -e
    for code in "${codes[@]}"; do
        [ "$code" -ne 0 ] || continue
        [ "$status" -ne 0 ] || status=$code
        return 0
    done
}

# [always], unless an earlier one failed. After 65, something that makes no sense, the rest goes on: one bad partition must not keep the
# others from being stored and exported.
stage() { if may_go_on; then always "$1"; fi; }
may_go_on() { [ "$status" -eq 0 ] || [ "$status" -eq 65 ]; }

# [always], and nothing else if it failed.
must() {
    always "$1"
    [ "$status" -eq 0 ] || exit "$status"
}

ended() { exit "$status"; }
