#!/usr/bin/env bats
# shellcheck disable=SC2154 # output: from bats
# A site with a TaskProlog: Slurm runs it when the task is in its container.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

cluster_knobs() {
    PROLOG=$BERTH_W/task-prolog
    # shellcheck disable=SC2016 # for the prolog
    printf '#!/bin/sh\necho "export PROLOG_ROOT=$(stat -c %%d:%%i /)"\n' >"$PROLOG"
    chmod 755 "$PROLOG"
    export CLUSTER_EXTRA=TaskProlog=$PROLOG BERTH_ARGS=mounts=$PROLOG
}

# shellcheck disable=SC2016 # for the step
SAME='test "$PROLOG_ROOT" = "$(stat -c %d:%i /)" && echo same'

@test "TaskProlog: named in mounts= it runs inside, for each task, and its variables are there" {
    inside base.sqsh -n2 -- sh -c "$SAME"
    ok
    is $'same\nsame'
    host srun sh -c "$SAME"
    is same
}

@test "TaskProlog: one that is not inside ends the step, and drains no node" {
    args mounts=/usr:/opt
    inside base.sqsh -- echo ran
    fails
    hasnt ran
    [[ $stderr == *"TaskProlog failed"* ]]
    host srun echo ran
    is ran
    wait_until 10 nodes_are idle
}
