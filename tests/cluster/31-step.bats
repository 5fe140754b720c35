#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# One container per step and node: its tasks share it, and so memory; another step has its own, unless it joins.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# The step's namespaces, one line per task: node, then what tells each from another.
NAMESPACES='for n in mnt net ipc uts user pid; do all="$all $(readlink -f /proc/self/ns/$n | sed "s,.*/,,")"; done
    echo $SLURMD_NODENAME $all'

@test "16 tasks of a step on each of two nodes have one set of namespaces per node" {
    inside tiny.sqsh -N2 --ntasks-per-node=16 -- sh -c "$NAMESPACES"
    ok
    [[ $(wc -l <<<"$output") == 32 && $(sort -u <<<"$output" | wc -l) == 2 ]]
    inside tiny.sqsh -N2 --ntasks-per-node=4 --container-unshare=net,ipc,uts -- sh -c "$NAMESPACES"
    ok
    [[ $(wc -l <<<"$output") == 8 && $(sort -u <<<"$output" | wc -l) == 2 ]]
}

@test "only the mount namespace is the container's, unless others are asked for" {
    host srun -w "$(node 1)" sh -c "$NAMESPACES"
    bare=$output
    inside tiny.sqsh -w "$(node 1)" -- sh -c "$NAMESPACES"
    [[ $(cut -d' ' -f3- <<<"$output") == "$(cut -d' ' -f3- <<<"$bare")" ]]
    [[ $(cut -d' ' -f2 <<<"$output") != "$(cut -d' ' -f2 <<<"$bare")" ]]
}

@test "--container-unshare: net has a loopback and nothing else, uts the node's name, ipc no queue of others" {
    inside base.sqsh --container-unshare=net -- sh -c 'ls /proc/self/net/dev_snmp6; cat /proc/net/route | wc -l'
    is $'lo\n1'
    inside tiny.sqsh --container-unshare=uts -w "$(node 1)" -- hostname
    is "$(node 1)"
    inside base.sqsh --container-unshare=ipc -- sh -c 'ipcmk -Q >/dev/null && ipcs -q | grep -c "^0x"'
    is 1
    run ipcs -q
    [[ $(grep -c berthalice <<<"$output") == 0 ]]
}

# ranks [srun arguments]: what two tasks of one step, with a directory of tools in /opt, say.
ranks() {
    local name=/berth-test.$BERTH_SLOT.$BATS_TEST_NUMBER dir
    dir=$(own alice tools)
    drop_in "$(tool ranks)" "$dir"
    host srun -n2 -w "$(node 1)" "$@" --container-mounts="$dir:/opt" /opt/ranks "$name"
}

@test "tasks share memory, and read each other's by process_vm_readv, as bare" {
    dir=$(own alice tools)
    drop_in "$(tool ranks)" "$dir"
    host srun -n2 -w "$(node 1)" "$dir/ranks" "/berth-test.$BERTH_SLOT"
    ok
    bare=$output
    for img in "$(image tiny.sqsh)" "$(image_of alice tiny.sqsh)" "$(image bundle)"; do
        ranks --container="$img"
        ok
        is "$bare"
    done
    [[ $bare == *"shm: written by rank 0"* ]]
    [[ $bare == *"cma: memory of rank 0"* ]] || skip "this host lets no task read another's memory"
}

@test "likewise in namespaces of the step's own, and as root there" {
    ranks --container="$(image tiny.sqsh)" --container-unshare=ipc,net,uts
    ok
    has "shm: written by rank 0"
    bare=$output
    args remap_root=yes
    ranks --container="$(image tiny.sqsh)" --container-remap-root
    ok
    is "$bare"
}

# running [srun arguments]: a step of alice's that goes on, with a container of IMG; JOB. Its mark is /mnt/mark in the
# container. Ends with the test.
running() {
    HOLD=$(own alice hold)
    echo 'mark of the running step' >"$HOLD/mark"
    background srun --job-name="run$BERTH_SLOT" --container="${IMG:-$(image tiny.sqsh)}" --container-mounts="$HOLD:/mnt" \
        --container-workdir=/mnt "$@" sh -c 'touch up.$SLURM_PROCID; exec sleep 100'
    step_runs "$HOLD/up.0"
    JOB=$(squeue -h -n "run$BERTH_SLOT" -o %i)
}

@test "--overlap with an image is another container" {
    running
    host srun --overlap --jobid="$JOB" --container-image="$(image base.sqsh)" \
        sh -c 'sed -n s/IMAGE_ID=//p /etc/os-release; ls /mnt; readlink /proc/self/ns/mnt'
    ok
    [[ $output == base$'\n'mnt:* ]] || { echo "$output"; return 1; }
    host srun --overlap --jobid="$JOB" sh -c 'test ! -e /mnt/mark && ! grep IMAGE_ID /etc/os-release'
    ok
}

@test "--container-join enters the running one: J.S and S, its mounts, its directory, its namespaces" {
    running
    host srun --overlap --jobid="$JOB" --container-image="$(image tiny.sqsh)" readlink -f /proc/self/ns/mnt
    other=$output
    for step in "$JOB.0" 0; do
        host srun --overlap --jobid="$JOB" --container-join="$step" \
            sh -c 'cat mark; pwd; sed -n s/IMAGE_ID=//p /etc/os-release; id -un; readlink -f /proc/self/ns/mnt'
        ok
        silent
        [[ $output == $'mark of the running step\n/mnt\ntiny\nberthalice\n'* && $output != *"$other"* ]] ||
            { echo "$output"; return 1; }
    done
    host srun --overlap --jobid="$JOB" -n2 --container-join=0 readlink /proc/self/ns/mnt
    [[ $(sort -u <<<"$output" | wc -l) == 1 ]]
    host srun --overlap --jobid="$JOB" --container-join=0 --container-workdir=/bin pwd
    is /bin
    ENV=("BERTH_CONTAINER_JOIN=$JOB.0")
    host srun --overlap --jobid="$JOB" cat /mnt/mark
    is 'mark of the running step'
}

@test "--container-join: from another job of the same user" {
    running -w "$(node 1)"
    host srun -w "$(node 1)" --container-join="$JOB.0" cat /mnt/mark
    ok
    is 'mark of the running step'
}

@test "--container-join by salloc, for its steps and its shell; a batch script cannot be there" {
    running -w "$(node 1)"
    host salloc -Q -w "$(node 1)" --container-join="$JOB.0" srun cat /mnt/mark
    is 'mark of the running step'
    batch -w "$(node 1)" --wrap "srun --container-join=$JOB.0 cat /mnt/mark"
    is 'mark of the running step'
    batch -w "$(node 1)" --container-join="$JOB.0" --wrap 'echo ran'
    fails
    hasnt ran
    has "the running container does not have your batch script; use srun --container-join in the script"
    drop_in "$BERTH_TOP/tests/tools/terminal" "$(own alice bin)"
    run as alice SHELL=/bin/sh /usr/bin/python3 "$BERTH_W/work/bin/terminal" 30x100 \
        salloc -w "$(node 1)" --container-join="$JOB.0" <<'END'
expect Granted
send pwd; cat mark
expect /mnt
expect mark of the running step
send exit
END
    ((status == 0)) || { echo "$output"; return 1; }
}

@test "--container-join takes over the image's environment and other namespaces" {
    IMG=$(variant merge.sqsh 'printf "%s\n" BOTH=image IMAGE=image >etc/environment')
    running --container-unshare=net,uts
    ENV=(BOTH=job)
    host srun --overlap --jobid="$JOB" --container-join=0 sh -c 'ls /proc/self/net/dev_snmp6; echo $BOTH $IMAGE'
    ok
    is $'lo\nimage image'
}

@test "--container-join on two nodes enters each node's own" {
    running -N2 --ntasks-per-node=1
    step_runs "$HOLD/up.1"
    mkdir "$HOLD/seen"
    chown berthalice "$HOLD/seen"
    host srun --overlap --jobid="$JOB" -N2 -n2 --container-join=0 \
        sh -c 'test -e mark && readlink /proc/self/ns/mnt && echo x >seen/$SLURMD_NODENAME'
    ok
    [[ $(sort -u <<<"$output" | wc -l) == 2 ]]
    [[ $(ls "$HOLD/seen") == "$(node 1)"$'\n'"$(node 2)" ]]
}

@test "--container-join of a batch script's container" {
    HOLD=$(own alice hold)
    BATCH=$(as alice sbatch --parsable -o log -D "$HOLD" --container="$(image tiny.sqsh)" --wrap "touch up; exec sleep 100")
    step_runs "$HOLD/up"
    for step in batch "$BATCH.batch"; do
        host srun -Q --overlap --jobid="$BATCH" --container-join="$step" sh -c 'pwd; sed -n s/IMAGE_ID=//p /etc/os-release'
        ok
        is "$HOLD"$'\ntiny'
    done
}

@test "--container-join of what is not there, has ended, has no container, or is another's: one line, the same" {
    running -w "$(node 1)"
    as alice srun --overlap --jobid="$JOB" true
    for step in 7 "$JOB.1" 4000000.0; do
        host srun --overlap --jobid="$JOB" --container-join="$step" true
        fails
        says "--container-join=$step: no running step of yours with a container has that name on this node"
    done
    run --separate-stderr as bob srun -w "$(node 1)" --container-join="$JOB.0" true
    fails
    says "--container-join=$JOB.0: no running step of yours with a container has that name on this node"
}

@test "--container-join: a --container-workdir that is not there is refused, as elsewhere" {
    running
    host srun --overlap --jobid="$JOB" --container-join=0 --container-workdir=/nothing true
    fails
    says "--container-workdir=/nothing: no such directory in the container"
}

@test "a joined container outlives the step that made it, for those who are in it" {
    running -w "$(node 1)"
    as alice srun -w "$(node 1)" --container-join="$JOB.0" \
        sh -c 'touch joined; until [ -e go ]; do sleep 0.1; done; cat mark /etc/os-release' \
        >"$BATS_TEST_TMPDIR/joiner" 2>&1 3>&- &
    joiner=$!
    step_runs "$HOLD/joined"
    as alice scancel "$JOB"
    wait "$BACKGROUND" || :
    BACKGROUND=
    touch "$HOLD/go"
    wait "$joiner" || { cat "$BATS_TEST_TMPDIR/joiner"; false; }
    run cat "$BATS_TEST_TMPDIR/joiner"
    has IMAGE_ID=tiny
    has 'mark of the running step'
}
