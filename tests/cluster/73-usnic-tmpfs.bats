#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # what stands in '' is expanded in the step; output, stderr: from bats
# --usnic where jobs have a /tmp and /dev/shm of their own (job_container/tmpfs, namespace/tmpfs), with an extern step.

load common
load rows
load user
load usnic
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes
cluster_knobs() {
    usnic_knobs
    export CLUSTER_TMPFS=yes
}

# The copies are in the host's /dev/shm, which the job does not see: what is left is its own view.
OWN='ls /dev/infiniband; for n in 0 1; do (: </dev/infiniband/uverbs$n); done; touch /tmp/mine && ls /tmp'

@test "a step without an image: the job's /tmp, and a /dev/infiniband of its own" {
    host srun -w "$(node 1)" --usnic sh -c "$OWN"
    is $'by-ibdev\nrdma_cm\nuverbs0\nmine'
    [[ $(grep -c 'No such device or address' <<<"$stderr") == 1 && $(grep -ci 'no such file\|nonexistent' <<<"$stderr") == 1 ]]
    [[ ! -e /tmp/mine ]]
}

@test "with an image, the site's and a user's" {
    local img
    for img in "$(image tiny.sqsh)" "$(image_of alice tiny.sqsh)"; do
        inside "$img" -w "$(node 1)" --usnic -- sh -c "$OWN"
        is $'by-ibdev\nrdma_cm\nuverbs0\nmine'
    done
}

@test "two ranks share the job's /dev/shm, and steps of a script its /tmp" {
    drop_in "$(tool ranks)" "$(own alice tools)"
    host srun -n2 -w "$(node 1)" --usnic "$BERTH_W/work/tools/ranks" /usnic
    ok
    has "shm: written by rank 0"
    batch -w "$(node 1)" --usnic=batch,device=usnic_0 --wrap 'echo of the script >/tmp/x; srun cat /tmp/x; srun --usnic=none cat /tmp/x; echo $BERTH_UVERBS'
    is $'of the script\nof the script\nuverbs0'
}
