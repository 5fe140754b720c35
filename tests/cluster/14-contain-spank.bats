#!/usr/bin/env bats
# SlurmdParameters=contain_spank (from 23.11 on): Slurm runs some of the plugin's hooks in a process of their own
# inside the job's namespace.

load common
NEEDS_PLUGIN=yes

cluster_knobs() {
    export CLUSTER_TMPFS=yes
    (($(slurm_version) < 2311)) || export CLUSTER_EXTRA=SlurmdParameters=config_overrides,contain_spank
}

contained() { [[ ${CLUSTER_EXTRA:-} == *contain_spank ]] || skip "this Slurm has no contain_spank"; }

# inside IMAGE ID: srun and sbatch, in the job's /tmp.
inside() {
    run as alice srun -N2 --ntasks-per-node=2 --container="$1" sh -c 'cat /etc/os-release; touch /tmp/mine'
    ok
    [[ $(grep -c "IMAGE_ID=$2" <<<"$output") == 4 ]]
    as alice mkdir -p there
    AS_CWD=/home/berthalice/there run as alice srun -Q --container="$1" pwd
    ok
    [[ $output == /home/berthalice/there ]] || { echo "$output"; return 1; }
    run as alice sbatch --wait --output=job.log --container="$1" --wrap 'cat /etc/os-release; pwd'
    ok
    run as alice cat job.log
    has "IMAGE_ID=$2"
    has /home/berthalice
}

@test "contain_spank: the site's image" { contained; inside "$(image tiny.sqsh)" tiny; }
@test "contain_spank: an image of the user's, through FUSE" { contained; inside "$(image_of alice tiny.sqsh)" tiny; }
@test "contain_spank: a directory" { contained; inside "$(image base)" base; }

@test "contain_spank: a step that cannot have its image fails with one line, the nodes stay up" {
    contained
    run as alice srun --container="$BERTH_IMAGES/none.sqsh" true
    fails
    [[ $(grep -c '^berth:' <<<"$output") == 1 ]]
    wait_until 10 nodes_are idle
}

@test "contain_spank: scancel ends a step" {
    contained
    as alice srun --job-name=long --container="$(image tiny.sqsh)" sleep 60 3>&- &
    wait_until 10 job_runs long
    as alice scancel -n long
    status=0
    wait $! || status=$?
    fails
}
