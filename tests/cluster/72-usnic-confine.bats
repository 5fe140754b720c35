#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what stands in '' is expanded in the step; every test is a subshell
# --usnic and device cgroups: confine=, Slurm's own limits beside Berth's, and what is looked at before a task runs.
#
# Slurm's limits: a GRES of two nodes that no driver serves (240:0 and 240:1), of which steps get one.

load common
load rows
load user
load usnic
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

MORE=$COPIES.more
cluster_knobs() {
    local i
    usnic_knobs
    usnic_made || return 0
    mkdir "$MORE"
    usnic_nodes "$MORE" 666
    mknod -m 666 "$MORE/vfio" c 10 196
    for i in 0 1; do
        rm -f "/dev/berth-test$i"
        mknod -m 666 "/dev/berth-test$i" c 240 "$i"
        mknod -m 666 "$MORE/gres$i" c 240 "$i"
    done
    mknod -m 666 "$MORE/null" c 1 3
    echo 'Name=gpu File=/dev/berth-test[0-1]' >"$BERTH_W/conf/gres.conf"
    export CLUSTER_EXTRA=GresTypes=gpu CLUSTER_NODE_EXTRA=Gres=gpu:2 CLUSTER_PROLOG_FLAGS=Contain
}

eval "confine_$(declare -f teardown_file)"
teardown_file() {
    rm -rf "$MORE" /dev/berth-test[01] "$BERTH_W/conf/gres.conf"
    confine_teardown_file
}

# opens NAME...: what a step of this sort can open of the copies, on one line: `sees NAME=ERROR ...`.
opens() { printf '%s' "${LOOK%%printf \"sees\"*}"; printf 'printf sees;'; printf " try $MORE/%s $MORE;" "$@"; echo ' echo'; }
LIMITS=$(opens gres0 gres1 uverbs0 uverbs1 uverbs2 uverbs3 umad0 vfio null)

# limits GRES0 GRES1 N...: what LIMITS then says; uverbsN may be opened, of the others none.
limits() {
    local g0=$1 g1=$2 n line
    shift 2
    line="sees gres0=$g0 gres1=$g1"
    for n in 0 1 2 3; do [[ " $* " == *" $n "* ]] && line+=" uverbs$n=ENXIO" || line+=" uverbs$n=EPERM"; done
    echo "$line umad0=EPERM vfio=EPERM null=opens"
}
# plain GRES0 GRES1: in a step that nothing of Berth's restricts.
plain() { echo "sees gres0=$1 gres1=$2 uverbs0=ENXIO uverbs1=ENXIO uverbs2=ENXIO uverbs3=ENXIO umad0=ENXIO ${VFIO:=$(vfio)} null=opens"; }
vfio() { sh -c "$(opens vfio)" | sed 's/sees //'; }

# ---- Slurm's limits ----

@test "row 2: the GRES that a step has not been given stays closed: before, with --usnic, and after; 1 and 4 tasks" {
    local n
    for n in 1 4; do
        host srun -w "$(node 1)" -n"$n" --gres=gpu:1 sh -c "$LIMITS"
        output=$(sort -u <<<"$output")
        is "$(plain ENXIO EPERM)"
        host srun -l -w "$(node 1)" -n"$n" --gres=gpu:1 --usnic=policy=rail sh -c "$LIMITS"
        ok
        output=$(sort <<<"$output")
        if ((n == 1)); then
            is "0: $(limits ENXIO EPERM 0)"
        else
            is "$(printf '%s\n' "0: $(limits ENXIO EPERM 0)" "1: $(limits ENXIO EPERM 1)" "2: $(limits ENXIO EPERM 2)" "3: $(limits ENXIO EPERM 3)")"
        fi
        host srun -w "$(node 1)" -n"$n" --gres=gpu:1 sh -c "$LIMITS"
        output=$(sort -u <<<"$output")
        is "$(plain ENXIO EPERM)"
    done
    host srun -w "$(node 1)" --usnic sh -c "$LIMITS"
    is "$(limits EPERM EPERM 0)"
    host srun -w "$(node 1)" --usnic --gres=gpu:2 sh -c "$LIMITS"
    is "$(limits ENXIO ENXIO 0)"
}

@test "row 2: likewise in a batch script and its steps" {
    batch -w "$(node 1)" --gres=gpu:1 --usnic=batch,device=usnic_0 --wrap "$LIMITS; srun sh -c '$LIMITS'; srun --usnic=none sh -c '$LIMITS'"
    ok
    is "$(limits ENXIO EPERM 0)"$'\n'"$(limits ENXIO EPERM 0)"$'\n'"$(plain ENXIO EPERM)"
}

# in_step JOB STEP TEXT: LIMITS of a process put into the cgroup of a step that has none of its own, as pam_slurm_adopt does.
in_step() {
    local dir
    dir=$(cgroup_dirs | grep -E "/(devices|[^/]*scope)/.*job_$1/step_$2(/user)?\$" | head -n 1)
    [[ -d $dir/task_special ]] && dir+=/task_special
    run sh -c 'echo $$ >"$1/cgroup.procs" && exec setpriv --reuid=berthalice --clear-groups sh -c "$2"' sh "$dir" "$LIMITS"
}

# job_of NAME: of a running one.
job_of() { squeue -h -n "$1" -t R -o %i; }

# held_job [srun arguments]: a job of two steps' room that goes on; JOB.
held_job() {
    local dir
    dir=$(own alice hold)
    background salloc -Q -K --job-name="held$BERTH_SLOT" -w "$(node 1)" "$@" sh -c "touch $dir/up; sleep 100"
    step_runs "$dir/up"
    JOB=$(job_of "held$BERTH_SLOT")
}

@test "row 2: the extern step of a job with --usnic has what Slurm gives it" {
    held_job --gres=gpu:1 --usnic
    host srun --jobid="$JOB" --overlap --usnic sh -c "$LIMITS"
    is "$(limits ENXIO EPERM 0)"
    in_step "$JOB" extern
    is "$(plain ENXIO EPERM)"
}

# ---- confine= ----

@test "confine=strict: nothing but the given ones, the few that every program needs, and FUSE" {
    ours confine=strict
    host srun -w "$(node 1)" --gres=gpu:1 --usnic sh -c "$LIMITS; for d in zero full random urandom tty; do test -c /dev/\$d && head -c0 /dev/\$d; done"
    [[ $output == "$(limits EPERM EPERM 0)" ]] || { echo "$output"; false; }
    [[ $stderr != *'not permitted'* ]] || { echo "$stderr"; false; }
    inside "$(image_of alice tiny.sqsh)" --usnic -- sh -c "$LOOK; echo out >/dev/null"
    ok
    is "$(sight_inside 0)"
    host srun -w "$(node 1)" --gres=gpu:1 sh -c "$LIMITS"
    is "$(plain ENXIO EPERM)"
}

@test "confine=no: the nodes in /dev/infiniband alone" {
    ours confine=no
    host srun -w "$(node 1)" --gres=gpu:1 --usnic sh -c "$LIMITS; ls /dev/infiniband"
    is "$(plain ENXIO EPERM)"$'\nby-ibdev\nrdma_cm\nuverbs0'
}

@test "confine=always: steps without --usnic open no NIC: srun, with an image, batch script, its steps, salloc's shell, --overlap, extern" {
    local none
    none=$(limits ENXIO EPERM)
    ours confine=always
    host srun -w "$(node 1)" --gres=gpu:1 sh -c "$LIMITS"
    is "$none"
    host srun -w "$(node 1)" -n4 --gres=gpu:1 sh -c "$LIMITS"
    output=$(sort -u <<<"$output")
    is "$none"
    host srun -w "$(node 1)" sh -c "exec cat $IB/uverbs0"
    fails
    inside tiny.sqsh -w "$(node 1)" --container-mounts="$IB/uverbs0" -- sh -c "exec cat $IB/uverbs0"
    [[ $stderr == *'not permitted'* ]] || { echo "$stderr"; false; }
    batch -w "$(node 1)" --gres=gpu:1 --wrap "$LIMITS; srun sh -c '$LIMITS'; srun --usnic sh -c '$LIMITS'"
    is "$none"$'\n'"$none"$'\n'"$(limits ENXIO EPERM 0)"
    drop_in "$BERTH_TOP/tests/tools/terminal" "$(own alice bin)"
    run as alice SHELL=/bin/sh /usr/bin/python3 "$BERTH_W/work/bin/terminal" 30x200 salloc -w "$(node 1)" --gres=gpu:1 <<END
expect Granted
send : <$MORE/uverbs0
expect not permitted
send : <$MORE/null && echo "nul""l opens"
expect null opens
send exit
END
    ((status == 0)) || { echo "$output"; false; }
    held_job --gres=gpu:1
    host srun --jobid="$JOB" --overlap sh -c "$LIMITS"
    is "$none"
    in_step "$JOB" extern
    is "$none"
}

@test "confine=strict,always: the one for those with --usnic, the other for those without" {
    ours confine=strict,always
    host srun -w "$(node 1)" --gres=gpu:1 sh -c "$LIMITS"
    is "$(limits ENXIO EPERM)"
    host srun -w "$(node 1)" --gres=gpu:1 --usnic sh -c "$LIMITS"
    is "$(limits EPERM EPERM 0)"
}

@test "a word of confine= that is none: the step fails, the node stays" {
    ours confine=perhaps
    host srun --usnic echo ran
    fails
    says 'confine='
    wait_until 10 nodes_are idle
}

@test "row 33: Slurm is reconfigured during a step: its devices are as before" {
    local dir n
    dir=$(own alice hold)
    background srun -w "$(node 1)" --gres=gpu:1 --usnic sh -c "touch $dir/up; until [ -e $dir/go ]; do sleep 0.1; done; $LIMITS; $LIMITS"
    step_runs "$dir/up"
    scontrol reconfigure
    sleep 1
    touch "$dir/go"
    wait "$BACKGROUND"
    BACKGROUND=
    for n in $BERTH_NODES; do census_renew "$BATS_TEST_TMPDIR/before" "$n"; done # since 23.11 another slurmd takes over
    output=$(grep sees "$BATS_TEST_TMPDIR/background")
    is "$(limits ENXIO EPERM 0)"$'\n'"$(limits ENXIO EPERM 0)"
}

# ---- what is looked at before a task runs ----

@test "preflight: a device that cannot be opened, and memory that cannot be locked" {
    ours preflight=strict memlock=4m
    host srun -n2 -w "$(node 1)" --usnic echo ran
    fails
    hasnt ran
    says "--usnic: only 4096 KiB of memory can be locked, expected 16384 or more: memlock= in plugstack.conf, or LimitMEMLOCK= of slurmd's service, is too low"
    ours preflight=warn memlock=4m
    host srun -n2 -w "$(node 1)" --usnic echo ran
    ok
    is $'ran\nran'
    [[ $(grep -c 'only 4096 KiB' <<<"$stderr") == 1 ]]
    [[ $(grep -c 'granted device /dev/infiniband/uverbs[0-3] cannot be opened.*No such device or address' <<<"$stderr") == 1 ]] || { echo "$stderr"; false; }
    ours preflight=off memlock=4m
    host srun --usnic sh -c 'ulimit -l'
    silent
    is 4096
    inside tiny.sqsh --usnic -- sh -c 'ulimit -l'
    is 4096
    host srun sh -c 'ulimit -l'
    bare=$output
    ours memlock=no
    host srun --usnic sh -c 'ulimit -l'
    is "$bare"
    ours memlock=lots
    host srun --usnic true
    fails
    says memlock=
}
