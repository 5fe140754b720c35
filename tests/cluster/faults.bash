# shellcheck shell=bash disable=SC2154,SC2034 # output, status: from bats; what is set here is for the tests
# For the files 50-rows-*.bats and 60-failures-*.bats: what must hold when something goes wrong, and ways to make it.
# Load after `common` and `rows`.
#
# Every helper that expects something prints what it found where that is something else.

# faults_begin: for setup. RAN: a file that the refused command would make, on the host or in a container.
faults_begin() {
    HOLD=$(own alice hold)
    RAN=$HOLD/ran
    AS_CWD=$HOLD
}

# try CMD...: as alice. status, output (what it printed), said (its stderr).
try() {
    status=0
    as alice "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- || status=$?
    output=$(<"$BATS_TEST_TMPDIR/out")
    said=$(<"$BATS_TEST_TMPDIR/err")
}

# one_line TEXT [LINES]: of LINES (default: $said) exactly one is Berth's, whole and printable, and holds TEXT.
one_line() {
    local all=${2-$said} line
    line=$(grep -aE '(^|error: )berth: ' <<<"$all")
    if [[ $(grep -ac '' <<<"$line") != 1 || $line != *"$1"* ]] || ((${#line} > 700)) || [[ $line == *[[:cntrl:]]* ]]; then
        printf 'expected one line of berth with: %s\nin: %s\n' "$1" "${all:0:2000}"
        return 1
    fi
}

# nowhere: the command ran on no node, nodes are up and not drained, nobody said why they should be.
nowhere() {
    [[ ! -e $RAN ]] || { echo "the command ran"; rm -f "$RAN"; return 1; }
    nodes_sound
}

nodes_sound() {
    local nodes
    nodes=$(scontrol -o show node)
    ! grep -E 'Reason=|State=[A-Z]*(DOWN|DRAIN|FAIL|NOT_RESP)|State=[^ ]*\+(DRAIN|FAIL|NOT_RESP)' <<<"$nodes"
}

# refused TEXT OPTION...: srun, sbatch and salloc with these options all fail with one line that holds TEXT.
refused() {
    refused_srun "$@" && refused_sbatch "$@" && refused_salloc "$@"
}

refused_srun() {
    local text=$1
    shift
    try srun "$@" touch "$RAN"
    { failed && one_line "$text" && nowhere; } && return 0
    because srun "$@"
    return 1
}

# One line in all, be it sbatch's own or the job's.
refused_sbatch() {
    local text=$1
    shift
    batch "$@" --wrap "touch $RAN"
    { failed && one_line "$text" "$said"$'\n'"$output" && nowhere; } && return 0
    because sbatch "$@"
    return 1
}

refused_salloc() {
    local text=$1
    shift
    try salloc "$@" srun touch "$RAN"
    { failed && one_line "$text" && nowhere; } && return 0
    because salloc "$@"
    return 1
}

because() { local all="$*"; printf 'command: %s\n' "${all:0:300}"; }

failed() { ((status != 0)) || { printf 'exit code 0: %s%s\n' "$output" "$said"; return 1; }; }
worked() { ((status == 0)) || { printf 'exit code %d: %s%s\n' "$status" "$output" "$said"; return 1; }; }

# batch OPTION...: sbatch, then waits for the job. status: 0 if it was taken and completed; output: the job's own
# stdout and stderr; said: sbatch's stderr. (sbatch --wait looks only every 2 s.)
batch() {
    local job
    rm -f "$HOLD/job.log"
    try sbatch --parsable --output="$HOLD/job.log" "$@"
    ((status == 0)) || { output=''; return 0; }
    job=$output output=''
    wait_until 30 job_over "$job" || { echo "job $job does not end"; return 1; }
    [[ $(job_state "$job") == COMPLETED ]] || status=1
    # slurmstepd's last words come after the controller's
    wait_until 5 test -e "$HOLD/job.log" || :
    output=$(cat "$HOLD/job.log" 2>/dev/null) || :
}

job_state() { scontrol -o show job "$1" | sed -n 's/.* JobState=\([A-Z_]*\).*/\1/p'; }
job_over() { [[ $(job_state "$1") =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY)$ ]]; }

# bystander [IMAGE]: a step of bob's on the first node that goes on beside what the test does. bystander_lives asks
# it for a sign of life; bystander_ends ends it and wants exit code 0.
bystander() {
    local fifo=$BATS_TEST_TMPDIR/fifo
    mkfifo "$fifo"
    # shellcheck disable=SC2016  # expanded in the step
    AS_CWD=/ AS_TIMEOUT=600 as bob srun -Q -w "$(node 1)" --job-name=bystander --container="${1:-$(image tiny.sqsh)}" \
        sh -c 'while read -r l; do sed -n "s/IMAGE_ID=/$l:/p" /etc/os-release; done' \
        <"$fifo" >"$BATS_TEST_TMPDIR/bystander" 2>&1 3>&- &
    BYSTANDER=$!
    exec {BYSTANDER_IN}>"$fifo"
    BYSTANDER_N=0
    bystander_lives
}

bystander_lives() {
    local file=$BATS_TEST_TMPDIR/bystander
    BYSTANDER_N=$((BYSTANDER_N + 1))
    echo "sign$BYSTANDER_N" >&"$BYSTANDER_IN"
    wait_until 10 grep -qx "sign$BYSTANDER_N:tiny" "$file" || { echo "the other step was disturbed:"; cat "$file"; return 1; }
}

bystander_ends() {
    local rc=0
    bystander_lives || return 1
    exec {BYSTANDER_IN}>&-
    wait "$BYSTANDER" || rc=$?
    unset BYSTANDER BYSTANDER_IN
    ((rc == 0)) || { echo "the other step ended with $rc:"; cat "$BATS_TEST_TMPDIR/bystander"; return 1; }
}

# ---- a step, and who works for it ----

# step_start COMMAND OPTION... [-- SHELL]: alice's step in the background, by srun or sbatch, on the first node. It
# says its id in $HOLD/up, then does SHELL (default: sleep). Sets STEP (JOB.STEP), STEPD, HELPER.
step_start() {
    local how=$1 args=() body='exec sleep 1000' task
    shift
    while (($#)) && [[ $1 != -- ]]; do
        args+=("$1")
        shift
    done
    (($# < 2)) || body=$2
    rm -f "$HOLD/up" "$HOLD/step.log"
    # shellcheck disable=SC2016  # expanded in the step
    printf '%s\n' '#!/bin/sh' 'case ${SLURM_STEP_ID:--5} in -*) s=batch ;; *) s=$SLURM_STEP_ID ;; esac' \
        'echo "$SLURM_JOB_ID.$s $$" >up.new; mv up.new up' "$body" >"$HOLD/job.sh"
    chmod 755 "$HOLD/job.sh"
    case $how in
    srun) AS_TIMEOUT=300 as alice srun -w "$(node 1)" "${args[@]}" sh ./job.sh >"$HOLD/step.log" 2>&1 3>&- & ;;
    sbatch) as alice sbatch -Q -w "$(node 1)" -o step.log "${args[@]}" ./job.sh 3>&- & ;;
    esac
    SRUN=$!
    wait_until 20 test -e "$HOLD/up" || { echo "the step did not start"; cat "$HOLD/step.log"; return 1; }
    read -r STEP task <"$HOLD/up"
    STEPD=$(awk '/^PPid:/ { print $2 }' "/proc/$task/status")
    HELPER=$(helper_of "$STEPD") || HELPER=''
}

# step_end: waits for srun (or for sbatch's job). status, output.
step_end() {
    status=0
    wait "$SRUN" || status=$?
    if [[ ${STEP:-} == *.batch ]]; then
        wait_until 60 job_over "${STEP%.*}" || { echo "job ${STEP%.*} does not end"; return 1; }
        [[ $(job_state "${STEP%.*}") == COMPLETED ]] || status=1
    fi
    output=$(<"$HOLD/step.log")
    said=$output
    unset SRUN
}

# in_our_cgroups PID: does a process belong to a job of ours, or did it?
in_our_cgroups() { grep -qE "slurm_(${BERTH_NODES// /|})/" "/proc/$1/cgroup" 2>/dev/null; }

# stepd_of JOB.STEP: pid of its slurmstepd, which calls itself "slurmstepd: [JOB.STEP]" as far as the name of its
# program left room for that: 20 bytes.
stepd_of() {
    local pid title
    for pid in $(pgrep -f '^slurmstepd: \['); do
        IFS= read -r -d '' title <"/proc/$pid/cmdline" || continue
        if [[ "slurmstepd: [$1]" == "$title"* ]] && in_our_cgroups "$pid"; then echo "$pid"; return 0; fi
    done
    return 1
}

# helpers: pids of all helpers of this cluster (not of the children that they fork).
helpers() {
    local pid
    for pid in $(pgrep -x berth-helper -P 1); do
        if stat -L -c %i "/proc/$pid"/fd/* 2>/dev/null | grep -qx "$(stat -c %i "$BERTH_W/state")"; then echo "$pid"; fi
    done
}

# helper_of STEPD: the helper that watches this slurmstepd.
helper_of() {
    local pid
    for pid in $(pgrep -x berth-helper -P 1); do
        if grep -qsx "Pid:.$1" "/proc/$pid"/fdinfo/*; then echo "$pid"; return 0; fi
    done
    return 1
}

fuse_of() { pgrep -P "$1" -x squashfuse_ll; }

keeper() {
    local pid
    for pid in $(pgrep -fx 'berth-keeper --keep'); do
        if [[ $(readlink "/proc/$pid/fd/4") == "$BERTH_W/state" ]]; then echo "$pid"; return 0; fi
    done
    return 1
}

# tasks_left: processes of alice's in cgroups of our jobs.
tasks_left() {
    local pid rc=1
    for pid in $(pgrep -u berthalice); do
        if in_our_cgroups "$pid" && [[ $(cut -d' ' -f3 "/proc/$pid/stat") != Z ]]; then rc=0; fi
    done
    return "$rc"
}
no_tasks_left() { ! tasks_left; }

# slurm_sweep: what Slurm forgets when its slurmstepd was killed: files in its spool, and empty cgroups (or rmdir would
# not do it).
slurm_sweep() {
    [[ -z ${STEP:-} ]] || rm -f "$BERTH_W"/spool/*/*"_${STEP/batch/4294967291}"{,.xml}
    cgroup_dirs | grep -E 'slurm_[^/]*/|scope/job' | while read -r dir; do rmdir "$dir" 2>/dev/null; done
    ! cgroup_dirs | grep -E 'job_'
}

# stale_gone: the name by which others could join a step is what a killed helper leaves; the end of the next step's
# helper takes it away.
stale_gone() {
    try srun --container="$(image tiny.sqsh)" true
    worked
    wait_until 5 name_gone
}

name_there() { compgen -G "$BERTH_W/state/step-${STEP/batch/4294967291}@*" >/dev/null; }
name_gone() { ! name_there; }

# ---- what slurmstepd looks like ----

# stepd_looks: ids, signals and number of threads of a slurmstepd, and each thread's ids; groups sorted.
stepd_looks() {
    local t
    sed -nE '/^(Uid|Gid|Sig(Blk|Ign|Cgt)|Threads|NoNewPrivs|Cap...):/p' "/proc/$1/status"
    for t in "/proc/$1"/task/*; do sed -nE '/^(Uid|Gid|Groups|NoNewPrivs|CapEff):/p' "$t/status"; done | sort | uniq -c
    readlink "/proc/$1/ns/mnt"
}

# looks_of FILE OPTION...: those of a running step, once they are settled.
looks_of() {
    local file=$1 i
    shift
    step_start srun "$@"
    # shellcheck disable=SC2153  # set by step_start
    stepd_looks "$STEPD" >"$file"
    for ((i = 0; i < 50; i++)); do
        sleep 0.1
        stepd_looks "$STEPD" >"$file.new"
        cmp -s "$file" "$file.new" && break
        mv "$file.new" "$file"
    done
    as alice scancel "${STEP%.*}"
    step_end
}

# same_looks OPTION...: with the plugin and without, unused and used.
same_looks() {
    BERTH_PLUGIN=no plugstack_write
    looks_of "$HOLD/without" "$@"
    plugstack_write
    looks_of "$HOLD/unused" "$@"
    looks_of "$HOLD/site" --container="$(image tiny.sqsh)" "$@"
    looks_of "$HOLD/user" --container="$(image_of alice tiny.sqsh)" "$@"
    grep -q '^Threads' "$HOLD/without"
    diff "$HOLD/without" "$HOLD/unused"
    diff "$HOLD/without" "$HOLD/site"
    diff "$HOLD/without" "$HOLD/user"
}

# ---- things that hang, are missing, or are not what they should be ----

# fuse_dir USER DIR [allow_other]: mounts $HOLD/DIR as a file system of the user's that holds tiny.sqsh's tree, images
# and all; sets FUSE_DIR, FUSE_PID. fuse_dir_end takes it away.
fuse_dir() {
    local user=$1 img=$HOLD/$2.img program
    program=$(tool fusemount) || return 1
    FUSE_DIR=$HOLD/$2
    tree "$img.d"
    cp "$(image tiny.sqsh)" "$img.d/img.sqsh"
    chown -hR "berth$user:" "$img.d"
    mksquashfs "$img.d" "$img" -noappend -no-progress -quiet >/dev/null
    mkdir -p "$FUSE_DIR"
    (
        [[ -z ${BYSTANDER_IN:-} ]] || exec {BYSTANDER_IN}>&- # or its step would wait for this server
        exec "$program" "$(id -u "berth$user")" "$(id -g "berth$user")" "$img" "$FUSE_DIR" "${@:3}" 3>&- >&2
    ) &
    FUSE_PID=$!
    wait_until 5 grep -q " $FUSE_DIR fuse" /proc/self/mounts && wait_until 5 as "$user" test -e "$FUSE_DIR/img.sqsh"
}

fuse_dir_end() {
    [[ -n ${FUSE_PID:-} ]] || return 0
    kill -KILL "$FUSE_PID"
    wait "$FUSE_PID" 2>/dev/null || :
    umount -l "$FUSE_DIR"
    unset FUSE_PID
}

# helper_is 'SHELL': berth-helper is a script that does that; $REAL is the program. helper_back undoes it.
helper_is() {
    local real
    real=$(helper)
    [[ -e $real.real ]] || mv "$real" "$real.real"
    rm -f "$real"
    [[ -n $1 ]] || return 0
    printf '#!/bin/bash\nREAL=%s\n%s\n' "$real.real" "$1" >"$real"
    chmod 755 "$real"
}

helper_back() {
    local real
    real=$(helper)
    [[ ! -e $real.real ]] || mv -f "$real.real" "$real"
}

# plugstack KEY=VALUE...: more plugstack arguments, for this test.
plugstack() { BERTH_ARGS="$*" plugstack_write; }

# slurmd_in NODE 'SHELL': slurmd of the first or second node runs in a mount namespace of its own, where SHELL was done
# first. slurmd_back: as before. The census that the test ends with knows of the new process.
slurmd_in() {
    local n
    n=$(node "$1")
    daemon_stop "slurmd.$n"
    SLURMD_IN=$1
    daemon unshare -m --propagation "${3:-private}" sh -c "$2 && exec slurmd -N $n -f $SLURM_CONF"
    wait_until 20 slurmd_listens "$1"
    wait_until 20 nodes_are idle
}

# slurmd_listens NODE: it is up again (the controller may not have noticed that it was not), and has written its pid,
# by which it is stopped.
slurmd_listens() {
    local ports
    read -ra ports <"$BERTH_W/ports"
    ! port_free "${ports[$1]}" && pid_of "slurmd.$(node "$1")" >/dev/null
}

slurmd_back() {
    local n before=$BATS_TEST_TMPDIR/before
    [[ -n ${SLURMD_IN:-} ]] || return 0
    n=$(node "$SLURMD_IN")
    daemon_stop "slurmd.$n"
    slurmd_start "$n"
    wait_until 20 slurmd_listens "$SLURMD_IN"
    unset SLURMD_IN
    wait_until 20 nodes_are idle
    census_renew "$before" "$n"
}

# The bystander and the step of a test that failed.
faults_end() {
    if [[ -n ${SRUN:-} ]]; then
        as root scancel -u berthalice -f 2>/dev/null
        wait "$SRUN" || :
        unset SRUN
    fi
    if [[ -n ${BYSTANDER_IN:-} ]]; then
        exec {BYSTANDER_IN}>&-
        wait "$BYSTANDER" || :
        unset BYSTANDER BYSTANDER_IN
    fi
    helper_back
    fuse_dir_end
    slurmd_back
    plugstack_write
}

eval "faults_$(declare -f setup)" && eval "faults_$(declare -f teardown)"
setup() {
    faults_setup
    faults_begin
}
teardown() {
    faults_end
    faults_teardown
}
