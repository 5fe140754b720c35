#!/usr/bin/env bats
# job_container/tmpfs (namespace/tmpfs from 25.11 on): every job has a /tmp and /dev/shm of its own, and so have
# containers in it.

load common
NEEDS_PLUGIN=yes

cluster_knobs() { export CLUSTER_TMPFS=yes; }

# in_job CMD: alice's shell command in an allocation, on the host; IMG is an image.
in_job() {
    run as alice IMG="${IMG:-$(image tiny.sqsh)}" salloc -Q -N"${NODES:-1}" bash -c "set -e; $1"
    ok
}

# one KIND: steps of one job, in containers of that image and on the host, see one /tmp and one /dev/shm.
one() {
    for dir in /tmp /dev/shm; do
        IMG=$1 in_job "srun sh -c 'echo host >$dir/host'; srun --container=\$IMG sh -c 'cat $dir/host; echo inside >$dir/inside'
            srun cat $dir/inside; srun --container=\$IMG ls $dir"
        [[ $output == $'host\ninside\nhost\ninside' ]] || { echo "$dir: $output"; return 1; }
        [[ ! -e $dir/host && ! -e $dir/inside ]]
    done
}

@test "one /tmp, one /dev/shm: the site's image" { one "$(image tiny.sqsh)"; }
@test "one /tmp, one /dev/shm: an image of the user's, through FUSE" { one "$(image_of alice tiny.sqsh)"; }
@test "one /tmp, one /dev/shm: a directory" { one "$(image base)"; }

@test "another job has another" {
    run as alice srun --container="$(image tiny.sqsh)" sh -c 'echo >/tmp/mine; ls /tmp'
    ok
    has mine
    run as alice srun --container="$(image tiny.sqsh)" ls /tmp
    ok
    [[ -z $output ]]
}

@test "two nodes, two tasks each, one mount namespace per node" {
    # shellcheck disable=SC2016  # expanded in the job
    run as alice srun -N2 --ntasks-per-node=2 --container="$(image base.sqsh)" \
        sh -c 'echo "$(readlink /proc/self/ns/mnt) $(sed -n s/IMAGE_ID=//p /etc/os-release)"'
    ok
    [[ $(wc -l <<<"$output") == 4 && $(sort -u <<<"$output" | grep -c base) == 2 ]]
}

@test "sbatch, and a step in its script" {
    run as alice sbatch --wait --output=job.log --container="$(image base.sqsh)" --wrap 'echo script >/tmp/f; cat /tmp/f'
    ok
    run as alice cat job.log
    has script
}

@test "an image in the job's own /tmp" {
    image_of alice tiny.sqsh
    in_job 'srun cp images/tiny.sqsh /tmp/my.sqsh; srun --container=/tmp/my.sqsh cat /etc/os-release'
    has IMAGE_ID=tiny
}

@test "the working directory in the job's own /tmp" {
    # shellcheck disable=SC2016  # expanded in the job
    in_job 'srun mkdir /tmp/work; srun -D /tmp/work --container=$IMG pwd'
    has /tmp/work
}
