# shellcheck shell=bash
# What tests/try and tests/all share: set up, count results, clean up whatever happens, print the table.

KEEP=no
PASSED=0 FAILED=0 SKIPPED=0
ROWS=()                 # "result<TAB>seconds<TAB>name"

# session_begin: from here on an exit, ^C included, ends the cluster and removes it.
session_begin() {
    need_root
    trap session_end EXIT
    trap 'warn interrupted; exit 130' INT
    trap 'warn "ended by a signal"; exit 143' TERM HUP
}

# session_up IMAGE...: packages, cluster directory, build, images, cluster. Ends the session where one fails.
session_up() {
    local log
    log=$(mktemp /tmp/berth-deps.XXXXXX)
    step "packages"
    deps_install "$log" build slurm test images || exit 1
    rm -f "$log"
    cluster_new 2
    if [[ ${BERTH_PLUGIN:-yes} == yes && $BERTH_PREFIX == "$BERTH_W"/* ]]; then
        step "build"
        tree_build || exit 1
    fi
    step "images"
    images_build "$@" || exit 1
    step "cluster"
    cluster_start || exit 1
    step_end
}

# count RESULT SECONDS NAME [passed failed skipped]: a row of the table; by default it counts as one test.
count() {
    local p=${4:-0} f=${5:-0} s=${6:-0}
    if (($# == 3)); then
        case $1 in ok) p=1 ;; skipped) s=1 ;; *) f=1 ;; esac
    fi
    PASSED=$((PASSED + p)) FAILED=$((FAILED + f)) SKIPPED=$((SKIPPED + s))
    ROWS+=("$1"$'\t'"$2"$'\t'"$3")
}

# bats_select FILTER [DIR...]: BATS_FILES and BATS_ARGS, for run_bats: all below tests/DIR (default cluster), or the files
# in whose name FILTER is (none for `unit`, `fuzz` and `bench`, those of tests/node for `node`), or the tests whose name matches.
bats_select() {
    local filter=$1 f dir all=()
    shift
    for dir in "${@:-cluster}"; do all+=("$BERTH_TOP/tests/$dir"/*.bats); done
    BATS_FILES=() BATS_ARGS=()
    case $filter in
    unit | dist | fuzz | bench) return 0 ;;
    node) BATS_FILES=("$BERTH_TOP"/tests/node/*.bats); return 0 ;;
    esac
    for f in "${all[@]}"; do [[ -z $filter || ${f##*/} == *"$filter"* ]] && BATS_FILES+=("$f"); done
    ((${#BATS_FILES[@]})) && return 0
    BATS_FILES=("${all[@]}") BATS_ARGS=(--filter "$filter")
}

# run_bats FILE [bats arguments]: shows each test as it ends, counts.
run_bats() {
    local file=$1 log=$BERTH_W/log/${1##*/}.log from=$EPOCHREALTIME p f s result=ok rc=0
    shift
    step "${file##*/}"
    TMPDIR=$BERTH_W/tmp bats --timing --formatter tap "$@" "$file" </dev/null 2>&1 | tee "$log" | { grep -v '^1\.\.' || :; }
    rc=${PIPESTATUS[0]}
    s=$(grep -cE '^ok .*# skip' "$log")
    p=$(($(grep -c '^ok ' "$log") - s))
    f=$(grep -c '^not ok ' "$log")
    ((rc == 0 || f > 0)) || f=1
    ((f == 0)) || result=FAILED
    step_drop
    ((p + f + s)) || return 0
    count "$result" "$(elapsed "$from")" "${file##*/}: $p passed, $f failed, $s skipped" "$p" "$f" "$s"
}

# session_report: the table, then the line that others read.
session_report() {
    local row
    echo
    for row in "${STEP_TIMES[@]}"; do printf '%-9s %7ss  %s\n' set-up "${row%%$'\t'*}" "${row#*$'\t'}"; done
    for row in "${ROWS[@]}"; do
        IFS=$'\t' read -r result seconds name <<<"$row"
        printf '%-9s %7ss  %s\n' "$result" "$seconds" "$name"
    done
    printf '%-9s %7ss\n' total "$(elapsed "$BERTH_T0")"
    printf '\n%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
}

session_end() {
    local rc=$?
    trap '' INT TERM HUP
    step_end
    [[ -n ${BERTH_W:-} && -d $BERTH_W ]] || exit "$rc"
    if [[ $KEEP == yes && -f $BERTH_W/env ]]; then
        cat >&2 <<END

The cluster is up. To use it, as root in a bash:
    . $BERTH_W/env; . $BERTH_LIB/all.sh
    as alice srun -N2 --container=\$(image base.sqsh) cat /etc/os-release
    bats $BERTH_TOP/tests/cluster/10-run.bats
To end it:
    $BERTH_LIB/cluster down $BERTH_W/env
END
    else
        cluster_down
    fi
    exit "$rc"
}
