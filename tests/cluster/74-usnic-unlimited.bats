#!/usr/bin/env bats
# shellcheck disable=SC2154 # output: from bats
# --usnic where Slurm limits no devices, so that a step has no cgroup for them on cgroup v1.

load common
load rows
load user
load usnic
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes
cluster_knobs() {
    usnic_knobs
    export CLUSTER_TASKPLUGIN=task/affinity
}

@test "row 28: what confine= asks for and cannot be had is an error, not left out; confine=no asks for nothing" {
    [[ $(cgroup_version) == 1 ]] || skip "on cgroup v2 every step has a cgroup that can be narrowed"
    host srun --usnic echo ran
    fails
    hasnt ran
    says ConstrainDevices
    host srun echo ran
    is ran
    ours confine=always
    host srun echo ran
    fails
    hasnt ran
    says ConstrainDevices
    ours confine=no
    host srun -w "$(node 1)" --usnic sh -c 'ls /dev/infiniband'
    is $'by-ibdev\nrdma_cm\nuverbs0'
    wait_until 10 nodes_are idle
}
