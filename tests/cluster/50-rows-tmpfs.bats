#!/usr/bin/env bats
# Where the job has a mount namespace of its own (job_container/tmpfs, from 25.11 on namespace/tmpfs) the container is
# built from there: what fails must fail there, too. Rows 29, 30 and 42 of the threat table.

load common
load rows
load faults
NEEDS_PLUGIN=yes

cluster_knobs() { export CLUSTER_TMPFS=yes; }

@test "row 29: slurmstepd looks as without the plugin, with the job's own mount namespace" { same_looks; }

@test "row 30: what fails drains no node, with the job's own mount namespace" {
    bystander
    # (Each salloc takes 3 s here, also without a container.)
    refused "none.sqsh: no such file" --container="$HOLD/none.sqsh"
    : >"$HOLD/empty.sqsh"
    refused_srun "empty.sqsh: is empty" --container="$HOLD/empty.sqsh"
    refused_sbatch "empty.sqsh: is empty" --container="$HOLD/empty.sqsh"
    helper_is ''
    refused_srun "cannot start" --container="$(image tiny.sqsh)"
    refused_sbatch "cannot start" --container="$(image tiny.sqsh)"
    helper_back
    plugstack squashfuse=/nonexistent
    refused_srun "has no /nonexistent" --container="$(image_of alice tiny.sqsh)"
    refused_sbatch "has no /nonexistent" --container="$(image_of alice tiny.sqsh)"
    [[ -z $(sinfo -h -R) ]]
    bystander_ends
}

@test "row 42: an unsound configuration, with the job's own mount namespace" {
    plugstack nonsense=1
    refused_srun 'unknown argument "nonsense=1"' --container="$(image tiny.sqsh)"
    refused_sbatch 'unknown argument "nonsense=1"' --container="$(image tiny.sqsh)"
    plugstack_write
    chmod 666 "$BERTH_W/conf/plugstack.conf"
    refused_srun "is owned by uid 0 with mode 0666" --container="$(image tiny.sqsh)"
    chmod 644 "$BERTH_W/conf/plugstack.conf"
    try srun --container="$(image tiny.sqsh)" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
}

@test "row 31: storage that hangs, with the job's own mount namespace" {
    plugstack timeout=2
    fuse_dir alice slow allow_other
    kill -STOP "$FUSE_PID"
    refused_srun "is a file system hanging?" --container="$FUSE_DIR/img.sqsh"
    kill -CONT "$FUSE_PID"
    fuse_dir_end
}

@test "helper and FUSE server killed, with the job's own mount namespace" {
    step_start srun --container="$(image_of alice tiny.sqsh)" -- 'while ! test -e go; do read -t 1 x; done; cat /etc/os-release'
    kill -KILL "$HELPER"
    touch "$HOLD/go"
    step_end
    failed
    nodes_sound
    stale_gone
}
