# shellcheck shell=bash disable=SC2034,SC2154 # ROUNDS: for the files that load this; output, status: from bats
# For the files 40-rows-*.bats, which test the rows of the threat table in docs/security.md: small programs, trap
# images, the helper without Slurm, and races.
#
# Races take ROWS_ROUNDS as a factor (default 1, a few seconds in all; 100 for a long run).

ROUNDS=${ROWS_ROUNDS:-1}

# tool NAME: path of tests/tools/NAME.c compiled (static, so that it runs in any image), once for the cluster.
tool() {
    local src=$BERTH_TOP/tests/tools/$1.c to=$BERTH_W/tools/$1 flags=(-static) more=()
    case $1 in
    drive) more=("$BERTH_TOP"/helper/{request,layout,msg,err,wire}.c) ;;
    *.so) src=${src/.so/} flags=(-shared -fPIC) ;;
    esac
    if [[ ! $to -nt $src ]]; then
        install -d "$BERTH_W/tools"
        gcc -std=gnu11 -O1 -D_GNU_SOURCE "${flags[@]}" -o "$to.new" "$src" "${more[@]}" || return 1
        mv "$to.new" "$to"
    fi
    echo "$to"
}

# own USER DIR: an empty directory of the user's below $BERTH_W/work, gone with the cluster.
own() {
    local dir=$BERTH_W/work/$2
    rm -rf --one-file-system "$dir"
    install -d -m 755 "$BERTH_W/work"
    install -d -m 755 -o "berth$1" -g "$(id -g "berth$1")" "$dir"
    echo "$dir"
}

# tree DIR: a root directory with nothing but busybox, in DIR.
tree() {
    rm -rf --one-file-system "$1"
    unsquashfs -q -n -d "$1" "$(image tiny.sqsh)" >/dev/null
}

# pack DIR FILE: an image file of a root directory; the kind is FILE's ending, or a directory without one.
pack() {
    rm -rf --one-file-system "$2"
    case $2 in
    *.sqsh) mksquashfs "$1" "$2" -noappend -comp zstd -no-progress -quiet >/dev/null ;;
    *.erofs) mkfs.erofs --quiet "$2" "$1" >/dev/null 2>&1 || mkfs.erofs "$2" "$1" >/dev/null ;;
    *) cp -a "$1" "$2" ;;
    esac
}

# put NAME FILE [USER]: a copy of a cached image, root's or the user's.
put() {
    cp --reflink=auto --remove-destination "$(image "$1")" "$2"
    chmod 644 "$2"
    [[ -z ${3:-} ]] || chown "berth$3:" "$2"
}

# trap_image FILE COMMANDS: the tree above, after COMMANDS have run in it, packed as $BERTH_IMAGES/trap-FILE (pack says
# how); prints that path. Gone after the test.
trap_image() {
    local dir
    dir=$(mktemp -d "$BATS_TEST_TMPDIR/tree.XXXXXX")
    tree "$dir"
    (cd "$dir" && eval "$2") || return 1
    pack "$dir" "$BERTH_IMAGES/trap-$1"
    rm -rf --one-file-system "$dir"
    echo "$BERTH_IMAGES/trap-$1"
}

# marked DIR NAME: the tree says IMAGE_ID=NAME.
marked() { sed -i "s/^IMAGE_ID=.*/IMAGE_ID=$2/" "$1/etc/os-release"; }

# in_image IMAGE [srun arguments --] CMD...: as alice.
in_image() {
    local image=$1 args=()
    shift
    while [[ ${1:-} == -* ]]; do
        [[ $1 != -- ]] || { shift; break; }
        args+=("$1")
        shift
    done
    as alice srun --container="$image" "${args[@]}" "$@"
}

# drive USER [options of tools/drive] [-- HELPER...]: the helper without Slurm, as this cluster has it set up.
drive() {
    local user=berth$1 args=() g kv
    shift
    for g in $(id -G "$user"); do args+=(-G "$g"); done
    for kv in $(plugstack_args); do args+=(-a "$kv"); done
    args+=(-u "$(id -u "$user")" -g "$(id -g "$user")" -k "$SLURM_CONF")
    while (($#)) && [[ $1 != -- ]]; do
        args+=("$1")
        shift
    done
    shift || set -- "$(helper)"
    (cd / && timeout 120 "$(tool drive)" "${args[@]}" -- "$@")
}

helper() { echo "$BERTH_PREFIX/libexec/berth/berth-helper"; }

# args KEY=VALUE...: plugstack arguments besides the default ones, until the end of the test.
args() {
    BERTH_ARGS=$* ARGS_CHANGED=yes
    plugstack_write
}

# race USER A B...: exchanges the names for as long as the test runs; race_end ends it.
race() {
    local user=berth$1 program
    shift
    program=$(tool swap) || return 1
    setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$program" "$@" 3>&- &
    RACE=$!
}

# race_end: it ran until now; a racer that died has raced nothing.
race_end() {
    kill "$RACE" || { echo "the racer ended early"; return 1; }
    wait "$RACE" || :
    unset RACE
}

# slurmd_pid: of the first node.
slurmd_pid() { pid_of "slurmd.$(node 1)"; }

# trace FILE [strace options]: follows slurmd of the first node and all that it starts, until trace_end; FILE.PID for
# each process.
trace() {
    local file=$1 pid
    shift
    pid=$(slurmd_pid)
    strace -ff -qq -o "$file" "$@" -p "$pid" 3>&- &
    TRACE=$!
    wait_until 10 traced "$pid"
}

traced() { ! grep -q '^TracerPid:.0$' "/proc/$1/status"; }

# INT lets go of the traced processes. A strace that waits for memory of one of them that another one has to provide
# (a FUSE server) hears nothing but KILL.
trace_end() {
    kill -INT "$TRACE"
    wait_until 5 pid_gone "$TRACE" || kill -KILL "$TRACE"
    wait "$TRACE" || :
    unset TRACE
}

# A test that fails leaves no racer and no strace behind.
eval "common_$(declare -f teardown)"
teardown() {
    local m
    [[ -z ${RACE:-} ]] || race_end || :
    [[ -z ${TRACE:-} ]] || trace_end
    no_jobs || scancel -s KILL --nodelist="${BERTH_NODES// /,}"
    if [[ ${ARGS_CHANGED:-no} == yes ]]; then
        unset BERTH_ARGS
        plugstack_write
    fi
    while read -r m; do umount "$m"; done < <(awk -v w="$BERTH_W/work/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
    rm -rf --one-file-system "$BERTH_W/work" "$BERTH_IMAGES"/trap-*
    common_teardown
}

# lines N: the output has N lines.
lines() {
    [[ $(grep -c '' <<<"$output") == "$1" ]] || { printf 'expected %d lines: %s\n' "$1" "$output"; return 1; }
}

# one_berth_line: exactly one line of the output is Berth's.
one_berth_line() {
    [[ $(grep -c 'berth: ' <<<"$output") == 1 ]] || { printf 'expected one line of berth: %s\n' "$output"; return 1; }
}

# matches PATTERN: the whole output does.
matches() {
    # shellcheck disable=SC2053 # a pattern
    [[ $output == $1 ]] || { printf 'expected to match: %s\n%s\n' "$1" "$output"; return 1; }
}

# only REGEX: every line of the output is such a one.
only() {
    [[ $(grep -cvxE -- "$1" <<<"$output") == 0 ]] || { sort <<<"$output" | uniq -c; return 1; }
}

# as_many A B: as many lines of the output are A as are B.
as_many() {
    [[ $(grep -cx -- "$1" <<<"$output") == $(grep -cx -- "$2" <<<"$output") ]] || { sort <<<"$output" | uniq -c; return 1; }
}

# mounted DIR: prints the command that prints where the host's directory DIR is mounted, to run inside.
mounted() { printf 'awk %q /proc/self/mountinfo' "\$4 == \"$1\" { print \$5 }"; }

# batch USER [sbatch arguments]: submits, waits for the end; true if the job completed. (sbatch --wait looks every
# few seconds only.)
batch() {
    local id user=$1
    shift
    id=$(as "$user" sbatch --parsable "$@") && wait_until 20 batch_over "$id" && [[ $(batch_state "$id") == COMPLETED ]]
}
batch_state() { squeue -h -t all -j "$1" -o %T; }
batch_over() { [[ ! $(batch_state "$1") =~ ^(PENDING|RUNNING|COMPLETING|CONFIGURING)$ ]]; }
