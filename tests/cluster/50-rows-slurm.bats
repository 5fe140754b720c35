#!/usr/bin/env bats
# Berth inside slurmstepd, and what is left when a step is over: rows 28 to 32 and 34 of the threat table.
#
# FAULTS_KILLS (default 10), FAULTS_LOOPS (default 40): rounds of kills, and foreign loop devices. A long run takes
# 1000 and 300.

# shellcheck disable=SC2030,SC2031 # each test is a subshell
load common
load rows
load faults
NEEDS_PLUGIN=yes

# ---- row 28 ----

# injecting: slurmd of the first node, and so its slurmsteps, do what $HOLD/inject says (see tests/tools/inject.c).
injecting() {
    local so
    so=$(tool inject.so)
    slurmd_in 1 "export LD_PRELOAD=$so BERTH_INJECT=$HOLD/inject"
    try srun -w "$(node 1)" --container="$(image tiny.sqsh)" true
    worked
}

# inject TEXT CALL: refused by srun, with a line that holds TEXT, when CALL does not do what it should.
inject() {
    echo "$2" >"$HOLD/inject"
    refused_srun "$1" -w "$(node 1)" --container="$(image tiny.sqsh)"
}

@test "row 28: a restriction that slurmstepd's task cannot set, or that is not in force" {
    injecting
    inject "no_new_privs" "prctl 38 error"
    inject "no_new_privs is not in force" "prctl 38 lie"
    inject "drop capability" "prctl 24 error"
    inject "still within bounds" "prctl 24 lie"
    inject "ambient capabilities" "prctl 47 error"
    inject "inheritable capabilities" "capset 0 error"
    inject "mount namespace" "setns 131072 error"
    inject "close-on-exec" "close_range 0 error"
    echo "prctl 38 error" >"$HOLD/inject"
    refused "no_new_privs" -w "$(node 1)" --container="$(image tiny.sqsh)"
    rm "$HOLD/inject"
    try srun -w "$(node 1)" --container="$(image tiny.sqsh)" true
    worked
    slurmd_back
}

@test "row 28: other namespaces that cannot be entered" {
    injecting
    local kv
    for kv in net:1073741824 ipc:134217728 uts:67108864; do
        echo "setns ${kv#*:} error" >"$HOLD/inject"
        refused_srun "namespace" -w "$(node 1)" --container="$(image tiny.sqsh)" --container-unshare="${kv%:*}"
    done
    slurmd_back
}

# helper_inject TEXT CALL:HOW [IMAGE]: the helper's system call fails or lies, by strace, for one srun.
helper_inject() {
    trace "$HOLD/trace" -e "trace=${2%%:*}" -e "inject=$2"
    refused_srun "$1" -w "$(node 1)" --container="${3:-$(image tiny.sqsh)}" || { trace_end; return 1; }
    trace_end
    grep -q INJECTED "$HOLD"/trace.*
}

@test "row 28: a mount that cannot be restricted, or only seems to be" {
    helper_inject "" mount_setattr:error=EPERM
    # What is asked and not done: the mounts are read back.
    helper_inject "is not no" mount_setattr:retval=0
}

# driven_inject CALL:HOW IMAGE: the helper alone, by strace, refuses or ends.
driven_inject() {
    run drive alice -i "$2" -c / -x 'echo entered' -- strace -f -qq -o "$HOLD/trace" -e "trace=${1%%:*}" -e "inject=$1" "$(helper)"
    grep -q INJECTED "$HOLD/trace"
    [[ $output == "failed: "* || $output == dead ]] || { echo "$1: $status: $output"; return 1; }
}

@test "row 28: processes that work for the user and cannot give up root, or only seem to" {
    local call image
    for image in "$(image tiny.sqsh)" "$(image_of alice tiny.sqsh)"; do
        for call in setgroups setresgid setresuid prctl; do
            driven_inject "$call:error=EPERM" "$image"
            driven_inject "$call:retval=0" "$image"
        done
        driven_inject capset:error=EPERM "$image"
    done
}

@test "row 28: a FUSE server without its system call filter" {
    local file n image
    image=$(image_of alice tiny.sqsh)
    run drive alice -i "$image" -c / -x 'echo entered' -- strace -ff -qq -o "$HOLD/trace" -e trace=prctl,execve "$(helper)"
    has entered
    file=$(grep -l 'execve("/usr/bin/squashfuse_ll"' "$HOLD"/trace.*)
    n=$(sed -n '/PR_SET_SECCOMP/q;/prctl/p' "$file" | grep -c .)
    run drive alice -i "$image" -c / -x 'echo entered' -- strace -f -qq -o "$HOLD/trace" -e trace=prctl \
        -e "inject=prctl:error=EPERM:when=$((n + 1))" "$(helper)"
    has "system call filter"
    hasnt entered
}

@test "row 28: a FUSE server has what confines it" {
    local pid
    step_start srun --container="$(image_of alice tiny.sqsh)"
    pid=$(fuse_of "$HELPER")
    run cat "/proc/$pid/status"
    [[ $output == *$'\nUid:\t'"$(id -u berthalice)"$'\t'* ]]
    has $'NoNewPrivs:\t1'
    has $'Seccomp:\t2'
    has $'CapPrm:\t0000001000000000' # block_suspend: see helper/ids.h
    has $'CapBnd:\t0000000000000000'
    # and its memory and its end are the step's
    grep -q "step_${STEP#*.}" "/proc/$pid/cgroup"
    as alice scancel "${STEP%.*}"
    step_end
}

# ---- row 29 ----

@test "row 29: slurmstepd has the threads, ids and signals that it has without the plugin" { same_looks; }

@test "row 29: with PMIx" {
    [[ $(as alice srun --mpi=list 2>&1) == *pmix* ]] || skip "no PMIx in this Slurm"
    same_looks --mpi=pmix
}

# ---- row 30 ----

# hook_fails TEXT [IMAGE]: by srun and by sbatch: one line, not 0, nowhere; and the node takes the next job at once.
hook_fails() {
    refused_srun "$1" -w "$(node 1)" --container="${2:-$(image tiny.sqsh)}"
    refused_sbatch "$1" -w "$(node 1)" --container="${2:-$(image tiny.sqsh)}"
    [[ -z $(sinfo -h -R) ]]
    try srun -w "$(node 1)" true
    worked
}

@test "row 30: what fails in init_post_opt drains no node" {
    bystander
    helper_is ''
    hook_fails "cannot start"
    helper_is 'exit 1'
    hook_fails "ended before"
    helper_back
    plugstack nonsense=1
    hook_fails "unknown argument"
    plugstack timing=/nonexistent/dir/file
    try srun --container="$(image tiny.sqsh)" true
    worked
    bystander_ends
}

@test "row 30: what fails while user_init is past drains no node" {
    bystander
    hook_fails "no such file" "$HOLD/none.sqsh"
    : >"$HOLD/empty"
    hook_fails "is empty" "$HOLD/empty"
    head -c 200000 "$(image tiny.sqsh)" >"$HOLD/cut"
    hook_fails "cut short" "$HOLD/cut"
    plugstack squashfuse=/nonexistent
    hook_fails "has no /nonexistent" "$(image_of alice tiny.sqsh)"
    bystander_ends
}

@test "row 30: what fails in task_init_privileged and task_init drains no node" {
    injecting
    echo "setns 131072 error" >"$HOLD/inject"
    hook_fails "mount namespace"
    echo "prctl 38 lie" >"$HOLD/inject"
    hook_fails "no_new_privs"
    echo "close_range 0 error" >"$HOLD/inject"
    hook_fails "close-on-exec"
    rm "$HOLD/inject"
    slurmd_back
}

@test "row 30: what fails in task_exit and exit drains no node, and is the job's result" {
    step_start sbatch --container="$(image tiny.sqsh)" -- 'while ! test -e go; do sleep 0.1; done; exit 3'
    kill -KILL "$HELPER"
    touch "$HOLD/go"
    step_end
    [[ $(scontrol -o show job "${STEP%.*}") == *ExitCode=3:0* ]]
    [[ -z $(sinfo -h -R) ]]
    stale_gone
}

@test "row 30: a working directory that is gone" {
    bystander
    # That is user_init's business, and no reason to fail.
    try srun --chdir="$HOLD/gone" --container="$(image tiny.sqsh)" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
    hook_fails "no such file" "$HOLD/none.sqsh"
    bystander_ends
}

@test "row 30: even where the plugin line says optional nothing runs on the host" {
    conf_plugstack | sed 's/^required/optional/' | file_put "$BERTH_W/conf/plugstack.conf"
    refused "none.sqsh: no such file" --container="$HOLD/none.sqsh"
    injecting
    inject "no_new_privs" "prctl 38 error"
    inject "mount namespace" "setns 131072 error"
    inject "close-on-exec" "close_range 0 error"
    rm "$HOLD/inject"
    slurmd_back
}

# ---- row 31 ----

# in_seconds N CMD...: CMD, which must not take longer.
in_seconds() {
    local n=$1 from=${EPOCHREALTIME/[.,]/}
    shift
    "$@"
    (((${EPOCHREALTIME/[.,]/} - from) / 1000000 < n)) || { echo "took longer than $n s: $*"; return 1; }
}

@test "row 31: scancel ends a step whose FUSE server is stopped" {
    local how
    bystander
    for how in srun sbatch; do
        step_start "$how" --container="$(image_of alice tiny.sqsh)" -- \
            'while ! test -e go; do read -t 1 x; done; touch went; cat /etc/os-release; sleep 1000'
        kill -STOP "$(fuse_of "$HELPER")"
        touch "$HOLD/go"
        wait_until 5 test -e "$HOLD/went"
        as alice scancel "${STEP%.*}"
        in_seconds 10 step_end
        failed
        rm -f "$HOLD/go" "$HOLD/went"
        wait_until 10 pid_gone "$HELPER"
    done
    bystander_ends
    [[ -z $(sinfo -h -R) ]]
}

@test "row 31: a step whose FUSE server is stopped ends by itself when its command does" {
    step_start srun --container="$(image_of alice tiny.sqsh)" -- 'while ! test -e go; do read -t 1 x; done; exit 5'
    kill -STOP "$(fuse_of "$HELPER")"
    touch "$HOLD/go"
    in_seconds 10 step_end
    ((status == 5))
}

@test "row 31: an image on storage that hangs: the step fails by its timeout, scancel ends it before" {
    bystander
    plugstack timeout=2
    fuse_dir alice slow allow_other
    kill -STOP "$FUSE_PID"
    refused_srun "longer than 2 s: is a file system hanging?" --container="$FUSE_DIR/img.sqsh"
    refused_sbatch "longer than 2 s: is a file system hanging?" --container="$FUSE_DIR/img.sqsh"
    plugstack timeout=60
    as alice srun --container="$FUSE_DIR/img.sqsh" touch "$RAN" >"$HOLD/step.log" 2>&1 3>&- &
    SRUN=$!
    STEP=''
    wait_until 10 job_of_alice
    as alice scancel "$JOB"
    in_seconds 10 step_end
    failed
    nowhere
    [[ -z $(sinfo -h -R) ]]
    wait_until 10 no_jobs_of_alice
    kill -CONT "$FUSE_PID"
    fuse_dir_end
    bystander_ends
}

@test "row 31: a trusted= directory on storage that hangs" {
    local d=$BERTH_W/hang
    bystander
    fuse_dir alice slow allow_other
    install -d "$d"
    mount --bind "$FUSE_DIR" "$d"
    plugstack timeout=2 "trusted=$BERTH_W/images,$d"
    kill -STOP "$FUSE_PID"
    refused_srun "longer than 2 s: is a file system hanging?" --container="$(image tiny.sqsh)"
    refused_sbatch "longer than 2 s: is a file system hanging?" --container="$(image tiny.sqsh)"
    kill -CONT "$FUSE_PID"
    umount "$d"
    rmdir "$d"
    fuse_dir_end
    bystander_ends
}

job_of_alice() { JOB=$(squeue -h -u berthalice -t R -o %A) && [[ -n $JOB ]]; }
no_jobs_of_alice() { [[ -z $(squeue -h -u berthalice) ]]; }

@test "row 31: a bind source on storage that hangs" {
    bystander
    plugstack timeout=2
    fuse_dir alice slow allow_other
    kill -STOP "$FUSE_PID"
    refused_srun "is a file system hanging?" --container="$(image tiny.sqsh)" --container-mounts="$FUSE_DIR/etc:/x"
    refused_sbatch "is a file system hanging?" --container="$(image tiny.sqsh)" --container-mounts="$FUSE_DIR/etc:/x"
    kill -CONT "$FUSE_PID"
    fuse_dir_end
    bystander_ends
}

@test "row 31: an image that is a directory on storage that hangs after the first look" {
    bystander
    plugstack timeout=2
    fuse_dir alice slow allow_other
    # What is cached is there, what is not hangs the walk.
    as alice test -d "$FUSE_DIR"
    kill -STOP "$FUSE_PID"
    refused_srun "" --container="$FUSE_DIR"
    kill -CONT "$FUSE_PID"
    fuse_dir_end
    bystander_ends
}

@test "row 31: a keeper of images that is stopped" {
    bystander
    step_start srun --container="$(image tiny.sqsh)" -- 'while ! test -e go; do sleep 0.1; done; cat /etc/os-release'
    plugstack timeout=2
    kill -STOP "$(keeper)"
    refused_srun "the keeper of images did not answer" --container="$(image tiny.sqsh)"
    refused_sbatch "the keeper of images did not answer" --container="$(image tiny.sqsh)"
    try srun --container="$(image base)" cat /etc/os-release # which needs none
    worked
    touch "$HOLD/go"
    step_end
    worked
    kill -CONT "$(keeper)"
    bystander_ends
}

# ---- row 32 ----

@test "row 32: the image is there until the last task is gone, not the first" {
    # shellcheck disable=SC2016  # expanded in the step
    try srun -n2 --container="$(image_of alice tiny.sqsh)" sh -c '
        if test "$SLURM_PROCID" = 1; then touch first; exit 0; fi
        while ! test -e first; do sleep 0.1; done
        sleep 0.5
        cat /bin/busybox >/dev/null && sed -n s/IMAGE_ID=/late:/p /etc/os-release'
    worked
    has late:tiny
}

@test "row 32: a process that outlives its task does not outlive the step, nor does its image" {
    step_start srun --container="$(image_of alice tiny.sqsh)" -- '(trap "" TERM HUP; while :; do sleep 0.2; done) & sleep 1; exit 0'
    local fuse
    fuse=$(fuse_of "$HELPER") || :
    step_end
    worked
    wait_until 10 no_tasks_left
    [[ -z $fuse ]] || wait_until 5 pid_gone "$fuse"
    wait_until 5 pid_gone "$HELPER"
}

# kill_round: a step of a user's image whose end comes at a random moment, in a random way.
kill_round() {
    local pids victim
    as alice srun -Q --container="$(image_of alice tiny.sqsh)" sh -c 'sleep 2; cat /bin/busybox >/dev/null' \
        >"$HOLD/step.log" 2>&1 3>&- &
    SRUN=$!
    sleep "0.0$((RANDOM % 100))"
    case $((RANDOM % 4)) in
    0) as alice scancel -u berthalice ;;
    1) as alice scancel -s KILL -u berthalice ;;
    2) # squashfuse or the helper, whatever there is by now
        for victim in $(helpers); do
            mapfile -t pids < <(fuse_of "$victim")
            ((${#pids[@]} && RANDOM % 2)) || pids=("$victim")
            kill -KILL "${pids[@]}" 2>/dev/null || :
        done
        ;;
    3) kill -KILL "$(pgrep -u berthalice -x srun | head -n 1)" 2>/dev/null || : ;;
    esac
    as alice scancel -u berthalice
    wait "$SRUN" || :
    unset SRUN
    wait_until 30 no_jobs_of_alice
}

@test "row 32: kills at random moments leave no FUSE server, no helper, no connection" {
    local i
    for ((i = 0; i < ${FAULTS_KILLS:-10}; i++)); do kill_round; done
    wait_until 15 helpers_all_gone
    nodes_sound
    # the name of a killed helper goes with the next one
    try srun --container="$(image tiny.sqsh)" true
    worked
    wait_until 10 slurm_sweep
}

helpers_all_gone() { [[ -z $(helpers) ]] && ! fuse_left; }
fuse_left() {
    local pid
    for pid in $(pgrep -u berthalice -x squashfuse_ll); do in_our_cgroups "$pid" && return 0; done
    return 1
}

# ---- row 34 ----

loops_of() { losetup -n -l -O BACK-FILE | grep -cF "$BERTH_W" || :; }

@test "row 34: foreign loop devices in use: a step gets one of its own" {
    local i dev devs=()
    for ((i = 0; i < ${FAULTS_LOOPS:-40}; i++)); do
        truncate -s 1M "$HOLD/foreign$i"
        dev=$(losetup --show -f "$HOLD/foreign$i") && devs+=("$dev")
    done
    ((${#devs[@]} == ${FAULTS_LOOPS:-40}))
    try srun -n4 --container="$(image tiny.sqsh)" cat /etc/os-release
    losetup -d "${devs[@]}"
    worked
    [[ $(grep -c IMAGE_ID=tiny <<<"$output") == 4 ]]
    wait_until 10 test "$(loops_of)" = 0
}

@test "row 34: steps of one image have one loop device, and it goes with the last" {
    local i pids=()
    rm -f "$HOLD"/up.*
    for i in 1 2 3 4; do
        # shellcheck disable=SC2016  # expanded in the step
        as alice srun -Q -w "$(node $((i % 2 + 1)))" --container="$(image tiny.sqsh)" sh -c \
            'touch up.$SLURM_JOB_ID; while ! test -e go; do sleep 0.1; done' 3>&- &
        pids+=($!)
    done
    wait_until 20 four_up
    (($(loops_of) == 1))
    touch "$HOLD/go"
    for i in "${pids[@]}"; do wait "$i"; done
    wait_until 10 no_loops
}

four_up() { (($(compgen -G "$HOLD/up.*" | wc -l) == 4)); }
no_loops() { (($(loops_of) == 0)); }

@test "row 34: a race for the free loop device is not lost" {
    local i pids=() n=12 program
    program=$(tool loopchurn)
    for ((i = 0; i < n; i++)); do put tiny.sqsh "$BERTH_IMAGES/race$i.sqsh"; done
    "$program" "$HOLD/churn" 3>&- &
    local churn=$!
    for ((i = 0; i < n; i++)); do
        as alice srun -Q --container="$BERTH_IMAGES/race$i.sqsh" cat /etc/os-release >"$HOLD/race$i.log" 2>&1 3>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    kill "$churn"
    wait "$churn" || :
    [[ $(cat "$HOLD"/race*.log | grep -cx IMAGE_ID=tiny) == "$n" ]]
    rm "$BERTH_IMAGES"/race*.sqsh
    wait_until 10 no_loops
}

@test "row 34: no loop device to be had: one line, and which parameter to raise" {
    trace "$HOLD/trace" -e trace=ioctl -e inject=ioctl:error=EBUSY
    local rc=0
    refused_srun "no free loop device" -w "$(node 1)" --container="$(image tiny.sqsh)" || rc=$?
    trace_end
    return "$rc"
}
