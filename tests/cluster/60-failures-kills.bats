#!/usr/bin/env bats
# Something dies, hangs or is cancelled: the step ends, what served it ends with it, and nobody else notices.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; said: from faults.bash
load common
load rows
load faults
NEEDS_PLUGIN=yes

# ---- scancel and the time limit ----

# cancel HOW IMAGE [scancel arguments]: a running step is cancelled.
cancel() {
    local how=$1 image=$2
    shift 2
    step_start "$how" --container="$image"
    as alice scancel "$@" "${STEP%.*}"
    step_end
    failed
    nodes_sound
}

@test "scancel: srun, the site's image" { cancel srun "$(image tiny.sqsh)"; }
@test "scancel: srun, a user's image" { cancel srun "$(image_of alice tiny.sqsh)"; }
@test "scancel: sbatch, the site's image" { cancel sbatch "$(image tiny.sqsh)"; }
@test "scancel: sbatch, a user's image" { cancel sbatch "$(image_of alice tiny.sqsh)"; }
@test "scancel --signal=KILL: a user's image" { cancel srun "$(image_of alice tiny.sqsh)" --signal=KILL; }

@test "scancel: salloc's interactive step" {
    mkfifo "$HOLD/in"
    as alice script -qec "salloc -w $(node 1) --container=$(image_of alice base.sqsh)" /dev/null <"$HOLD/in" \
        >"$HOLD/step.log" 2>&1 3>&- &
    SRUN=$!
    exec {in}>"$HOLD/in"
    # shellcheck disable=SC2016  # expanded in the step
    echo 'echo $SLURM_JOB_ID >up; exec sleep 1000' >&"$in"
    wait_until 20 test -s "$HOLD/up"
    as alice scancel "$(<"$HOLD/up")"
    wait "$SRUN" || :
    unset SRUN
    exec {in}>&-
    wait_until 10 no_tasks_left
    nodes_sound
}

# A job's end cannot be less than a minute away when it starts; root can move it. The controller looks every 30 s.
@test "time limit: srun with the site's image, sbatch with a user's" {
    local first second
    step_start srun --container="$(image tiny.sqsh)" -t 5
    first=$STEP:$SRUN
    mv "$HOLD/step.log" "$HOLD/first.log"
    step_start sbatch --container="$(image_of alice tiny.sqsh)" -t 5
    second=$STEP
    scontrol update jobid="${first%%.*}" EndTime=now+1
    scontrol update jobid="${second%%.*}" EndTime=now+1
    step_end
    [[ $(job_state "${second%%.*}") == TIMEOUT ]]
    wait "${first#*:}" && return 1
    wait_until 60 job_over "${first%%.*}"
    [[ $(job_state "${first%%.*}") == TIMEOUT ]]
    grep -q 'TIME LIMIT' "$HOLD/first.log"
    nodes_sound
}

# ---- slurmstepd dies ----

# stepd_dies HOW IMAGE: everything of the step goes with its slurmstepd, which Slurm alone would not do.
stepd_dies() {
    bystander
    step_start "$1" --container="$2" -- 'sleep 1000 & setsid sleep 1000 & trap "" TERM HUP INT; sleep 1000'
    kill -KILL "$STEPD"
    wait_until 10 no_tasks_left
    wait_until 10 pid_gone "$HELPER"
    nodes_sound
    as alice scancel "${STEP%.*}"
    step_end
    wait_until 10 no_jobs_of alice
    bystander_ends
    wait_until 10 nodes_are idle
    wait_until 10 slurm_sweep
}

no_jobs_of() { [[ -z $(squeue -h -u "berth$1") ]]; }

@test "slurmstepd killed: srun, the site's image" { stepd_dies srun "$(image tiny.sqsh)"; }
@test "slurmstepd killed: srun, a user's image" { stepd_dies srun "$(image_of alice tiny.sqsh)"; }
@test "slurmstepd killed: sbatch, a user's image" { stepd_dies sbatch "$(image_of alice tiny.sqsh)"; }
@test "slurmstepd killed: sbatch, a directory" { stepd_dies sbatch "$(image base)"; }

# ---- the helper dies ----

@test "helper killed during the step: a site's image goes on" {
    bystander
    step_start srun --container="$(image tiny.sqsh)" -- 'while ! test -e go; do sleep 0.1; done; cat /etc/os-release'
    kill -KILL "$HELPER"
    wait_until 5 pid_gone "$HELPER"
    name_there
    touch "$HOLD/go"
    step_end
    worked
    has IMAGE_ID=tiny
    bystander_ends
    nodes_sound
    stale_gone
}

@test "helper killed during the step: sbatch" {
    step_start sbatch --container="$(image tiny.sqsh)" -- 'while ! test -e go; do sleep 0.1; done; cat /etc/os-release'
    kill -KILL "$HELPER"
    touch "$HOLD/go"
    step_end
    worked
    has IMAGE_ID=tiny
    nodes_sound
    stale_gone
}

@test "helper killed during the step: a user's image is gone, the step fails" {
    bystander
    step_start srun --container="$(image_of alice tiny.sqsh)" -- 'while ! test -e go; do read -t 1 x; done; cat /etc/os-release'
    local fuse
    fuse=$(fuse_of "$HELPER")
    kill -KILL "$HELPER"
    wait_until 5 pid_gone "$fuse"
    touch "$HOLD/go"
    step_end
    failed
    bystander_ends
    nodes_sound
    stale_gone
}

# ---- a FUSE server dies ----

@test "squashfuse killed during the step: the step fails, nothing else" {
    bystander "$(image_of bob tiny.sqsh)"
    step_start srun --container="$(image_of alice tiny.sqsh)" -- 'while ! test -e go; do read -t 1 x; done; cat /etc/os-release'
    kill -KILL "$(fuse_of "$HELPER")"
    touch "$HOLD/go"
    step_end
    failed
    bystander_ends
    nodes_sound
}

@test "squashfuse killed during the step: sbatch" {
    step_start sbatch --container="$(image_of alice tiny.sqsh)" -- 'while ! test -e go; do read -t 1 x; done; cat /etc/os-release'
    kill -KILL "$(fuse_of "$HELPER")"
    touch "$HOLD/go"
    step_end
    failed
    nodes_sound
}

# ---- the keeper of images dies ----

@test "keeper killed: its images stay with the steps that have them, the next step starts another" {
    bystander
    step_start srun --container="$(image tiny.sqsh)" -- 'while ! test -e go; do sleep 0.1; done; cat /etc/os-release'
    kill -KILL "$(keeper)"
    try srun --container="$(image tiny.sqsh)" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
    touch "$HOLD/go"
    step_end
    worked
    has IMAGE_ID=tiny
    bystander_ends
    nodes_sound
}

# As by a helper that is stopped while it starts the keeper.
@test "who may start the keeper does not: the step fails by itself, well before the plugin's timeout" {
    local lock
    exec {lock}<"$BERTH_W/state"
    flock "$lock"
    refused_srun "cannot ask the keeper of images" --container="$(image tiny.sqsh)"
    exec {lock}<&-
    try srun --container="$(image tiny.sqsh)" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
}

# ---- a helper that is not what it should be ----

# helper_fails TEXT: srun, sbatch and salloc fail, side by side, since one may have to wait for a timeout.
helper_fails() {
    local text=$1 image=${2:-$(image tiny.sqsh)} log=$BATS_TEST_TMPDIR
    bystander_lives
    as alice srun --container="$image" touch "$RAN" >"$log/srun" 2>&1 3>&- &
    local srun=$!
    as alice salloc -Q --container="$image" srun touch "$RAN" >"$log/salloc" 2>&1 3>&- &
    local salloc=$!
    batch --container="$image" --wrap "touch $RAN"
    failed
    one_line "$text" "$output"
    wait "$srun" && return 1
    one_line "$text" "$(<"$log/srun")"
    wait "$salloc" && return 1
    one_line "$text" "$(<"$log/salloc")"
    nowhere
    bystander_lives
}

@test "helper missing, not executable, no program" {
    bystander
    helper_is ''
    helper_fails "cannot start $(helper): No such file"
    helper_is 'exit 0'
    chmod 644 "$(helper)"
    helper_fails "cannot start $(helper): Permission denied"
    head -c 100 /dev/urandom >"$(helper)"
    chmod 755 "$(helper)"
    helper_fails "cannot start $(helper): Exec format error"
    helper_back
    bystander_ends
}

@test "helper that ends, crashes, hangs up" {
    bystander
    helper_is 'exit 1'
    helper_fails "the container helper ended before"
    helper_is 'kill -SEGV $$'
    helper_fails "the container helper ended before"
    helper_is 'exec 3>&-; exec sleep 3'
    helper_fails "the container helper ended before"
    helper_back
    bystander_ends
    wait_until 10 sleepers_gone
    wait_until 10 slurm_sweep # which could not do it while they slept
}

sleepers_gone() { ! pgrep -x -U root sleep -a | grep -qx '[0-9]* sleep 3'; }

@test "helper that hangs: the step fails by the plugin's own timeout" {
    bystander
    plugstack timeout=1
    # shellcheck disable=SC2016  # expanded in the script
    helper_is 'kill -STOP $$; exec "$REAL"'
    helper_fails "the container was not ready after 6 s"
    helper_back
    # Once it goes on it finds nobody there, and goes.
    pkill -CONT -f "^/bin/bash $(helper)"
    bystander_ends
    wait_until 10 helpers_gone
    wait_until 10 slurm_sweep
}

helpers_gone() { [[ -z $(helpers) ]] && ! pgrep -f "^/bin/bash $(helper)"; }

@test "helper that answers nonsense" {
    bystander
    helper_is 'read -r -t 1 -u 3 x; head -c 70000 /dev/urandom >&3; exec sleep 3'
    plugstack timeout=1
    helper_fails "the container" # ended, or was not ready in time
    helper_back
    bystander_ends
    wait_until 10 sleepers_gone
    wait_until 10 slurm_sweep
}

@test "helper killed while it builds" {
    bystander
    fuse_dir alice slow allow_other
    kill -STOP "$FUSE_PID"
    as alice srun --container="$FUSE_DIR/img.sqsh" touch "$RAN" >"$HOLD/step.log" 2>&1 3>&- &
    SRUN=$!
    wait_until 10 one_more_helper
    kill -KILL "$HELPER"
    step_end
    failed
    one_line "helper ended before the step started"
    kill -CONT "$FUSE_PID"
    nowhere
    fuse_dir_end
    bystander_ends
}

# one_more_helper: there is one besides the bystander's, which is already serving. Sets HELPER.
one_more_helper() {
    local all
    all=$(helpers | grep -vx "$(helper_of "$(stepd_of "$(squeue -h -s -u berthbob -o %i | head -n 1)")")")
    [[ $all =~ ^[0-9]+$ ]] && HELPER=$all
}

@test "helper stopped during the step: the command's exit code stays, and it goes when it can" {
    step_start srun --container="$(image_of alice tiny.sqsh)" -- 'while ! test -e go; do sleep 0.1; done; exit 7'
    kill -STOP "$HELPER"
    touch "$HOLD/go"
    step_end
    failed
    ((status == 7))
    nodes_sound
    kill -CONT "$HELPER"
    wait_until 10 pid_gone "$HELPER"
}

# ---- nothing to mount with ----

@test "no FUSE server: the image is refused, the two remedies are named" {
    bystander
    plugstack squashfuse=/nonexistent/squashfuse
    refused "has no /nonexistent/squashfuse" --container="$(image_of alice tiny.sqsh)"
    one_line "place the image below a trusted= directory" "$said"
    # The site's own image does not need it.
    try srun --container="$(image tiny.sqsh)" true
    worked
    bystander_ends
}

@test "no /dev/fuse: the image is refused, the two remedies are named" {
    local img
    img=$(image_of alice tiny.sqsh)
    slurmd_in 1 'mkdir -p /run/berth-dev && mount -t tmpfs dev /run/berth-dev && cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /dev/loop-control /run/berth-dev && mkdir /run/berth-dev/pts /run/berth-dev/shm && mount --bind /dev/pts /run/berth-dev/pts && mount --bind /dev/shm /run/berth-dev/shm && mount --move /run/berth-dev /dev'
    refused "has no FUSE" -w "$(node 1)" --container="$img"
    refused_srun "place the image below a trusted= directory" -w "$(node 1)" --container="$img"
    slurmd_back
    rmdir /run/berth-dev
}

@test "a FUSE server that is no FUSE server" {
    bystander
    plugstack squashfuse=/bin/true
    refused "" --container="$(image_of alice tiny.sqsh)"
    plugstack squashfuse=/bin/false
    refused_srun "status 1" --container="$(image_of alice tiny.sqsh)"
    plugstack squashfuse=/bin/cat timeout=2
    refused_srun "" --container="$(image_of alice tiny.sqsh)"
    bystander_ends
}

# ---- a node where the image is not ----

@test "an image that one of two nodes lacks: that node says it, and the step has failed" {
    put tiny.sqsh "$HOLD/one.sqsh" alice
    slurmd_in 2 "mount -t tmpfs none $HOLD && chmod 755 $HOLD"
    try srun -N2 -n2 --container="$HOLD/one.sqsh" touch ran
    failed
    [[ $(find "$HOLD" -name ran) == "$RAN" ]] # on the other node, inside
    rm "$RAN"
    one_line "$(node 2): image $HOLD/one.sqsh: no such file"
    nodes_sound
    slurmd_back
}
