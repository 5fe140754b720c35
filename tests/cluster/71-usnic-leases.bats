#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # what stands in '' is expanded in the step; said: from faults.bash
# --usnic: VFs are one step's until it is over, however it ends.

load common
load rows
load faults
load usnic
NEEDS_PLUGIN=yes
cluster_knobs() { usnic_knobs; }

# all_free: a step can have all twelve.
all_free() {
    try srun -w "$(node 1)" --usnic=12,per=node sh -c 'tr , "\n" <<E | sort | uniq -c | tr -s " "
$BERTH_UVERBS
E'
    worked
    [[ $output == $' 3 uverbs0\n 3 uverbs1\n 3 uverbs2\n 3 uverbs3' ]] || { echo "$output"; return 1; }
}

# held: lines of the leases' directory: JOB.STEP and how many slots it has.
held() {
    find "$BERTH_W/state/leases" -type l -printf '%l\n' | sed -nE 's/.* job=([0-9]+) step=([0-9]+) .*/\1.\2/p' | sort | uniq -c |
        sed 's/^ *//'
}

@test "row 22: two steps never have one slot; too few fails at once and says who holds them" {
    step_start srun --usnic=8,per=node
    [[ $(held) == "8 $STEP" ]]
    [[ $(find "$BERTH_W/state/leases" -type l -printf '%l\n' | grep -c "uid=$(id -u berthalice) .*dev=231:19[2-5]") == 8 ]]
    try srun -w "$(node 1)" --usnic=4,per=node sh -c 'echo $BERTH_UVERBS'
    worked
    [[ $(tr , '\n' <<<"$output" | sort | uniq -c | awk '$1 > 3') == '' ]]
    refused_srun "5 slots are asked for (for the node), 4 free" -w "$(node 1)" --usnic=5,per=node
    [[ $said == *"in use: 8 by $STEP (uid $(id -u berthalice), for "* ]] || { echo "$said"; false; }
    as alice scancel "${STEP%.*}"
    step_end
    wait_until 5 eval '[[ -z $(held) ]]'
    all_free
}

@test "row 22: never a part of a step: two nodes of which one has too few" {
    step_start srun --usnic=10,per=node
    try srun -N2 --ntasks-per-node=1 --usnic=2,per=node sh -c 'echo ran; touch '"$RAN"'; sleep 1'
    failed
    [[ $said == *"berth: b"*"slots are asked for"* ]]
    rm -f "$RAN"
    as alice scancel "${STEP%.*}"
    step_end
    all_free
}

@test "wait=SECONDS: gets them when the other step ends; fails after that time; is ended by scancel" {
    step_start srun --usnic=12,per=node
    local first=${STEP%.*} waiter
    refused_srun "in use: 12 by $STEP" -w "$(node 1)" --usnic=wait=1
    as alice srun -w "$(node 1)" --usnic=wait=60 --job-name="wait$BERTH_SLOT" sh -c "touch $RAN" 3>&- &
    waiter=$!
    wait_until 10 job_runs "wait$BERTH_SLOT"
    sleep 1
    [[ ! -e $RAN ]]
    as alice scancel "$first"
    step_end
    wait "$waiter"
    [[ -e $RAN ]]
    rm "$RAN"

    step_start srun --usnic=12,per=node
    as alice srun -w "$(node 1)" --usnic=wait=60 --job-name="wait$BERTH_SLOT" touch "$RAN" >"$HOLD/waiter" 2>&1 3>&- &
    waiter=$!
    wait_until 10 job_runs "wait$BERTH_SLOT"
    sleep 0.5
    as alice scancel --name="wait$BERTH_SLOT"
    wait "$waiter" && return 1
    wait_until 10 eval '! job_runs wait$BERTH_SLOT'
    as alice scancel "${STEP%.*}"
    step_end
    nowhere
    all_free
}

@test "row 22: what a step could never have is refused at once, whatever wait= says" {
    refused_srun "13 slots are asked for (for the node), 12 free" -w "$(node 1)" --usnic=13,per=node,wait=3600
}

@test "30 steps in a row with all VFs of the node, with an image and without" {
    local i opts
    for ((i = 0; i < 30; i++)); do
        ((i % 3)) && opts=() || opts=(--container="$(image tiny.sqsh)")
        try srun -n12 -w "$(node 1)" "${opts[@]}" --usnic sh -c 'echo $BERTH_UVERBS'
        worked
        [[ $(sort <<<"$output" | uniq -c | awk '{ print $1 }' | tr '\n' ' ') == '3 3 3 3 ' ]] || { echo "$i: $output"; return 1; }
    done
    [[ -z $(held) ]]
}

@test "12 steps at once with one VF each, and one too many" {
    local i pids=()
    for ((i = 0; i < 12; i++)); do
        as alice srun --usnic --job-name="many$BERTH_SLOT" sh -c 'echo $BERTH_UVERBS >slot.'"$i"'; until [ -e go ]; do sleep 0.1; done' 3>&- &
        pids+=($!)
    done
    wait_until 40 eval '(($(ls "$HOLD"/slot.* 2>/dev/null | wc -l) == 12))'
    [[ $(cat "$HOLD"/slot.* | sort | uniq -c | awk '{ print $1 }' | tr '\n' ' ') == '3 3 3 3 ' ]]
    [[ $(held | wc -l) == 12 ]]
    refused_srun "in use: " --usnic
    touch "$HOLD/go"
    wait "${pids[@]}"
    all_free
}

# ---- deaths ----

# orphan_ends: Slurm is told that the step is over whose slurmstepd was killed.
orphan_ends() {
    as alice scancel "${STEP%.*}"
    step_end
    wait_until 20 nodes_are idle
    wait_until 10 slurm_sweep
}

@test "row 21: the helper is killed: the step runs on, its VFs stay its own; free when it has ended" {
    local opts
    for opts in '' "--container=$(image tiny.sqsh)"; do
        # shellcheck disable=SC2086 # words
        step_start srun --usnic=12,per=node $opts -- 'until [ -e end ]; do sleep 0.1; done'
        [[ -n $HELPER ]]
        kill -KILL "$HELPER"
        wait_until 5 pid_gone "$HELPER"
        refused_srun "in use: 12 by $STEP" -w "$(node 1)" --usnic
        touch "$HOLD/end"
        step_end
        worked
        rm "$HOLD/end"
        all_free
    done
    stale_gone
}

@test "row 21: slurmstepd is killed: the helper ends the step's processes and gives the VFs back" {
    step_start srun --usnic=12,per=node
    kill -KILL "$STEPD"
    wait_until 10 pid_gone "$HELPER"
    no_tasks_left
    all_free
    orphan_ends
}

@test "row 21: both are killed: nobody gets the VFs while a process of the step lives, not even with wait=; free afterwards" {
    local pid
    step_start srun --usnic=12,per=node
    kill -KILL "$HELPER" "$STEPD"
    wait_until 5 pid_gone "$HELPER"
    wait_until 5 pid_gone "$STEPD"
    tasks_left
    refused_srun "12 by $STEP (uid $(id -u berthalice), for " -w "$(node 1)" --usnic=wait=1
    [[ $said == *"ended but still in use"* ]] || { echo "$said"; false; }
    for pid in $(pgrep -u berthalice); do if in_our_cgroups "$pid"; then kill -KILL "$pid"; fi; done
    wait_until 5 no_tasks_left
    all_free
    orphan_ends
    stale_gone
}

@test "row 21: what a step leaves in its cgroup keeps the VFs until Slurm has ended it" {
    try srun -w "$(node 1)" --usnic=12,per=node sh -c 'setsid sh -c "trap : TERM; sleep 100; sleep 100" >/dev/null 2>&1 & sleep 0.2'
    worked
    try srun -w "$(node 1)" --usnic=12,per=node,wait=20 true
    worked
    no_tasks_left
}

@test "row 22: scancel, and a command that does not exist give all back" {
    step_start srun --usnic=12,per=node
    as alice scancel -s KILL "${STEP%.*}"
    step_end
    all_free
    try srun -w "$(node 1)" --usnic=12,per=node /nothing
    failed
    all_free
    step_start sbatch --usnic=12,per=node,batch
    as alice scancel "${STEP%.*}"
    step_end
    all_free
}

@test "row 22: slurmd is restarted during a step: the VFs stay its own" {
    step_start srun --usnic=12,per=node -- 'until [ -e end ]; do sleep 0.1; done'
    daemon_stop "slurmd.$(node 1)"
    slurmd_start "$(node 1)"
    wait_until 20 slurmd_listens 1
    wait_until 20 pid_of "slurmd.$(node 1)" >/dev/null
    refused_srun "in use: 12 by $STEP" -w "$(node 2)" --usnic
    touch "$HOLD/end"
    step_end
    worked
    wait_until 20 nodes_are idle
    all_free
    new_slurmd
}

# new_slurmd: the census knows of the one that runs now.
new_slurmd() { census_renew "$BATS_TEST_TMPDIR/before" "$(node 1)"; }

@test "slurmd starts no helper on a node without RDMA devices, and a step without --usnic none either" {
    [[ -z $(ls /sys/class/infiniband 2>/dev/null) ]] || skip "this host has RDMA devices"
    helper_is 'touch /run/berth-test/helper.ran; exec "$REAL" "$@"'
    daemon_stop "slurmd.$(node 1)"
    slurmd_start "$(node 1)"
    wait_until 20 slurmd_listens 1
    wait_until 20 nodes_are idle
    try srun -w "$(node 1)" -n4 true
    worked
    [[ ! -e /run/berth-test/helper.ran ]]
    try srun -w "$(node 1)" --usnic true
    worked
    rm /run/berth-test/helper.ran
    helper_back
    new_slurmd
}

@test "row 22: a record that is garbage, or of another boot, does no harm" {
    local dir=$BERTH_W/state/leases name
    step_start srun --usnic=device=usnic_0
    name=$(find "$dir" -type l -printf '%f\n')
    as alice scancel "${STEP%.*}"
    step_end
    wait_until 5 eval '[[ -z $(held) ]]'
    [[ $name == usnic_0@0000:06:00.0#0 ]]
    # nobody has the device open, or the slot would have to wait
    ln -s garbage "$dir/$name"
    all_free
    [[ ! -L $dir/$name ]]
    ln -s "v1 boot=00000000-0000-0000-0000-000000000000 job=1 step=0 uid=0 user= since=1 dev=231:192 cgroup=1:/sys/fs/cgroup" "$dir/$name"
    all_free
    [[ ! -L $dir/$name ]]
}

@test "row 24: another user neither sees nor ends a lease" {
    step_start srun --usnic=12,per=node
    run as bob sh -c "ls $BERTH_W/state $BERTH_W/state/leases; rm -rf $BERTH_W/state/leases; kill $HELPER"
    [[ $status != 0 && $output == *"ermission denied"*"ermitted"* ]]
    run as bob srun -w "$(node 1)" --usnic true
    fails
    has "in use: 12 by $STEP (uid $(id -u berthalice), for "
    pid_gone "$HELPER" && false
    as alice scancel "${STEP%.*}"
    step_end
    all_free
}
