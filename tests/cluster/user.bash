# shellcheck shell=bash disable=SC2154 # output, status, stderr: from bats
# For the files 25-*.bats to 35-*.bats, which test what a user can say. Load after `common` and `rows`.

# args KEY=VALUE...: plugstack arguments from the next step on, until the test ends.
args() {
    BERTH_ARGS="$*" plugstack_write
    touch "$BATS_TEST_TMPDIR/args"
}

# host CMD...: as alice; inside IMAGE OPTION... -- CMD...: the same by srun, in the image (a name of image(), or a path).
# Both set status, output and stderr. ENV: variables for these and for batch().
ENV=()
host() { run --separate-stderr as alice "${ENV[@]}" "$@"; }

inside() {
    local opts=() img=$1
    shift
    [[ $img == /* ]] || img=$(image "$img")
    while [[ $1 != -- ]]; do
        opts+=("$1")
        shift
    done
    shift
    host srun --container="$img" "${opts[@]}" "$@"
}

# batch [sbatch arguments]: as alice; waits for the end. status: 0 if the job completed; output: its own, with the
# steps'. The script may be given on standard input. (sbatch --wait looks only every 2 s.)
batch() {
    local job dir
    dir=$(own alice log)
    job=$(as alice "${ENV[@]}" sbatch --parsable --output="$dir/log" "$@") || return 1
    wait_until 30 job_over "$job" || { echo "job $job does not end"; return 1; }
    [[ $(job_state "$job") == COMPLETED ]] && status=0 || status=1
    output=$(cat "$dir/log")
}

# needs_mpi TYPE: skips where Slurm was built without that plugin.
has_mpi() { as alice srun --mpi=list 2>&1 | grep -qw "$1"; }
needs_mpi() {
    has_mpi "$1" && return 0
    [[ -z ${CI:-} || ${BERTH_FOREIGN_ROOT:-no} == yes ]] || die "the Slurm of CI has no mpi/$1"
    skip "this Slurm has no mpi/$1"
}

job_state() { scontrol -o show job "$1" | sed -n 's/.* JobState=\([A-Z_]*\).*/\1/p'; }
job_over() { [[ $(job_state "$1") =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY)$ ]]; }

# variant NAME COMMANDS: path of an image of root's, made once for the cluster: the tree of tiny.sqsh with IMAGE_ID=NAME,
# as COMMANDS change it, which run in it.
variant() {
    local to=$BERTH_IMAGES/$1 dir=$BERTH_W/tools/$1.d
    if [[ ! -e $to ]]; then
        install -d "$BERTH_W/tools"
        tree "$dir" && marked "$dir" "${1%%.*}" && (cd "$dir" && eval "$2") && pack "$dir" "$to" && rm -rf "$dir" || return 1
    fi
    echo "$to"
}

# As in common, but with stderr, which is apart here.
ok() { ((status == 0)) || { printf 'exit code %d: %s\n%s\n' "$status" "$output" "${stderr:-}"; return 1; }; }

# is TEXT: $output is TEXT and nothing else.
is() { [[ $output == "$1" ]] || { printf 'expected: %s\ngot: %s\nstderr: %s\n' "$1" "$output" "${stderr:-}"; return 1; }; }

# silent: nothing on stderr. says TEXT: one line of Berth's there, which holds TEXT.
silent() { [[ -z $stderr ]] || { printf 'not expected: %s\n' "$stderr"; return 1; }; }
says() {
    local line
    line=$(grep 'berth: ' <<<"$stderr")
    [[ $line != *$'\n'* && $line == *"$1"* ]] || { printf 'expected one line with: %s\nin: %s\n' "$1" "$stderr"; return 1; }
}

# background CMD...: as alice, until the test ends or it does; its output in $BATS_TEST_TMPDIR/background. Teardown
# cancels alice's jobs then, and where BATCH is set.
background() {
    as alice "$@" >"$BATS_TEST_TMPDIR/background" 2>&1 </dev/null 3>&- &
    BACKGROUND=$!
}

# step_runs FILE: the step that background() started has made FILE.
step_runs() { wait_until 10 test -e "$1" || { cat "$BATS_TEST_TMPDIR/background" || :; return 1; }; }

# drop_in FILE DIR: a copy of FILE, which everybody can read and execute, in DIR.
drop_in() { install -m 755 "$1" "$2/${1##*/}"; }

eval "user_$(declare -f teardown)"
teardown() {
    if [[ -n ${BACKGROUND:-}${BATCH:-} ]]; then
        as alice scancel --quiet --user="$(id -u berthalice)" || :
        [[ -z ${BACKGROUND:-} ]] || wait "$BACKGROUND" || :
    fi
    while umount "$(awk -v w="$BERTH_W/work/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo | tail -n 1)" 2>/dev/null; do :; done
    [[ ! -e $BATS_TEST_TMPDIR/args ]] || plugstack_write
    user_teardown
}
