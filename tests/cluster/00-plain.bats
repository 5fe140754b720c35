#!/usr/bin/env bats
# Steps that ask for no container run as if the plugin were not there.

load common

@test "srun runs a command on the host" {
    run as alice srun cat /etc/os-release
    ok
    hasnt IMAGE_ID=
}

@test "srun keeps the command's exit code" {
    run as alice srun sh -c 'exit 7'
    fails 7
}

@test "two nodes, 16 tasks each" {
    # shellcheck disable=SC2016  # expanded in the job
    run as alice srun -N2 --ntasks-per-node=16 sh -c 'echo $SLURMD_NODENAME'
    ok
    [[ $(grep -cx "$(node 1)" <<<"$output") == 16 ]]
    [[ $(grep -cx "$(node 2)" <<<"$output") == 16 ]]
}

@test "nothing is printed that the command did not print" {
    run as alice srun -N2 -n2 echo hello
    ok
    [[ $output == $'hello\nhello' ]]
}

@test "sbatch" {
    run as alice sbatch --wait -n2 --output=plain.log --wrap 'id -un; srun -n2 echo step'
    ok
    run as alice cat plain.log
    [[ $output == $'berthalice\nstep\nstep' ]]
}

@test "salloc" {
    run as alice salloc -N2 srun -N2 hostname
    ok
    has "$(node 1)"
    has "$(node 2)"
}

@test "scancel ends a step" {
    as alice srun --job-name=long sleep 60 &
    wait_until 10 job_runs long
    as alice scancel -n long
    status=0
    wait $! || status=$?
    fails
}

@test "groups and limits are the user's" {
    run as alice srun id -Gn
    has berthgrp
    run as bob srun id -Gn
    hasnt berthgrp
}

@test "the nodes are idle" {
    run sinfo -h -N -o '%T %E'
    [[ $(sort -u <<<"$output") == "idle none" ]]
}
