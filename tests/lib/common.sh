# shellcheck shell=bash
# Progress lines, failure, waiting, and commands whose output matters only when they fail.
#
# Everywhere below tests/lib `return` has its number: teardown of a failed test and clean-up run in a trap, where a
# bare one gives the status from before the trap.

BERTH_T0=${BERTH_T0:-$EPOCHREALTIME}
STEP_NAME='' STEP_T0=''
STEP_TIMES=()           # "seconds<TAB>name" of every finished step

# elapsed FROM: seconds since FROM (an EPOCHREALTIME), one decimal.
elapsed() {
    local now=${EPOCHREALTIME/[.,]/} from=${1/[.,]/}
    printf '%d.%d' $(((now - from) / 1000000)) $((((now - from) / 100000) % 10))
}

# step TEXT: ends the step before it and begins a new one.
step() {
    step_end
    STEP_NAME=$* STEP_T0=$EPOCHREALTIME
    printf '[%6ss] %s ...\n' "$(elapsed "$BERTH_T0")" "$*" >&2
}

# step_drop: forgets the running step; its time is told elsewhere.
step_drop() { STEP_NAME=''; }

# step_end: prints how long the running step took.
step_end() {
    [[ -n $STEP_NAME ]] || return 0
    local took
    took=$(elapsed "$STEP_T0")
    STEP_TIMES+=("$took"$'\t'"$STEP_NAME")
    printf '[%6ss] %s: %ss\n' "$(elapsed "$BERTH_T0")" "$STEP_NAME" "$took" >&2
    STEP_NAME=''
}

note() { printf '          %s\n' "$*" >&2; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$*"; exit 1; }

need_root() { [[ $EUID -eq 0 ]] || die "must run as root (it starts a private Slurm and makes test users)"; }

# quietly LOG CMD...: output goes to LOG; shown (its end) only if CMD fails.
quietly() {
    local log=$1 rc=0
    shift
    "$@" >>"$log" 2>&1 3>&- </dev/null || rc=$?
    if ((rc)); then
        warn "failed ($rc): $*; the end of $log:"
        tail -n 40 "$log" >&2
    fi
    return "$rc"
}

# wait_until SECONDS CMD...: polls CMD every 100 ms until it succeeds.
wait_until() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@"; do
        ((${EPOCHREALTIME/[.,]/} < end)) || return 1
        sleep 0.1
    done
}
