# shellcheck shell=bash
# For the bats files of this directory. A boot costs 10 to 40 s: setup_file boots as seldom as it can, with a script
# (inside/) that leaves what it saw in files; the tests look at these.
#
#   setup_file() { node_ready || return 0; node_boot one bash "$NODE_DIR/inside/10-one"; }
#   setup() { node_needed; }
#   @test "..." { grep -q ... "$(node_dir one)/nics"; }

NODE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# node_ready: all that a boot needs is here, or was fetched. Else every test is skipped with the reason, or fails where
# CI=true, if the machine could have it.
node_ready() {
    local rc=0
    "$NODE_DIR/run" --prepare >"$BATS_FILE_TMPDIR/prepare" 2>&1 3>&- || rc=$?
    case $rc in
    0) return 0 ;;
    77) tail -n 1 "$BATS_FILE_TMPDIR/prepare" >"$BATS_FILE_TMPDIR/skip" ;;
    *)
        if [[ ${CI:-} == true ]]; then
            cat "$BATS_FILE_TMPDIR/prepare" >&2
            exit 1
        fi
        echo "what a virtual node needs could not be made ready" >"$BATS_FILE_TMPDIR/skip"
        ;;
    esac
    return 1
}

# node_slurm_ready: likewise, and there is a build to test and a Slurm to test it with.
node_slurm_ready() {
    node_ready || return
    [[ ! -f ${BERTH_PREFIX:-}/lib/slurm/berth.so ]] || ! command -v slurmd >/dev/null || return 0
    echo "no build in BERTH_PREFIX, or no Slurm" >"$BATS_FILE_TMPDIR/skip"
    return 1
}

# node_needed: for setup().
node_needed() { [[ ! -f $BATS_FILE_TMPDIR/skip ]] || skip "$(cat "$BATS_FILE_TMPDIR/skip")"; }

# node_dir NAME: of that boot: out, err, rc, cpu (seconds of CPU time), pid (of tests/node/run), and what the guest has
# written to $NODE_SHARE.
node_dir() { echo "$BATS_FILE_TMPDIR/$1"; }

# node_boot NAME [OPTION...] CMD...: tests/node/run to its end; the status is always 0, see node_rc.
node_boot() {
    local dir rc=0 TIMEFORMAT='%U %S'
    dir=$(node_dir "$1")
    shift
    mkdir -p "$dir"
    {
        time {
            "$NODE_DIR/run" --share "$dir" "$@" >"$dir/out" 2>"$dir/err" 3>&- </dev/null &
            echo "$!" >"$dir/pid"
            wait "$!" || rc=$?
        }
    } 2>"$dir/cpu"
    echo "$rc" >"$dir/rc"
}

# node_rc NAME: its exit code; on stderr, for bats to show where a test fails, what it said.
node_rc() {
    tail -n 30 "$(node_dir "$1")/err" >&2
    cat "$(node_dir "$1")/rc"
}

# node_left PID: what is left of the run with that PID.
node_left() {
    local f
    find /tmp -maxdepth 1 -name "berth-node.$1.*"
    grep -F "/tmp/berth-node.$1." /proc/net/unix /proc/self/mountinfo
    for f in /proc/[0-9]*/cmdline; do
        ! tr '\0' ' ' 2>/dev/null <"$f" | grep -F "/tmp/berth-node.$1." || echo "$f"
    done
    return 0
}

# node_gone PID: nothing is left, at the latest in five seconds.
node_gone() {
    local i
    for ((i = 0; i < 50; i++)); do
        [[ -n $(node_left "$1") ]] || return 0
        sleep 0.1
    done
    node_left "$1" >&2
    return 1
}
