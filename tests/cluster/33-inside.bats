#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# Slurm's commands used inside a container whose libc is not theirs (slurm=yes), and what steps and jobs that are
# started there run in. That the commands start at all is in 25-slurm.bats.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

cluster_knobs() { export BERTH_ARGS="slurm=yes slurm_paths=$BERTH_W/munge"; }

# Where a step is, after a word.
where() { echo "sed -n s/^IMAGE_ID=/$1:/p /etc/os-release | grep . || echo $1:host"; }

# script [sbatch arguments] <BODY: a batch script in IMG, the musl image. status, output.
script() { batch -n2 --container="${IMG:-$(image musl.sqsh)}" "$@" < <(echo '#!/bin/sh'; cat); }

@test "steps of a batch script: in the same image, on both nodes, with the script's other options" {
    script -N2 --container-mounts=tmpfs:/mine --container-writable <<END
$(where script); touch /written
srun -n2 sh -c '$(where step); test -d /mine && touch /written && echo \$SLURMD_NODENAME'
END
    ok
    output=$(sort <<<"$output")
    is "$(printf '%s\n' "$(node 1)" "$(node 2)" script:musl step:musl step:musl)"
}

@test "a step that says otherwise: another image by either option, none, other mounts" {
    script <<END
srun -n1 -Q --container=$(image tiny.sqsh) sh -c '$(where option)'
srun -n1 -Q --container-image=$(image base.sqsh) sh -c '$(where image)'
BERTH_CONTAINER_IMAGE=$(image base.sqsh) srun -n1 -Q sh -c '$(where variable)'
srun -n1 -Q --no-container sh -c '$(where none)'
srun -n1 -Q --container-mounts=tmpfs:/more sh -c 'ls -d /more'
$(where after)
END
    ok
    is $'option:tiny\nimage:base\nvariable:musl\nnone:host\n/more\nafter:musl'
}

@test "a step goes on in the script's directory, be it the host's or the image's, with its environment" {
    dir=$(own alice there)
    script -D "$dir" <<'END'
export FROM_SCRIPT=yes
mkdir below; cd below
srun -n1 sh -c 'pwd; echo $FROM_SCRIPT'
cd /root
srun -n1 sh -c 'pwd; echo $FROM_SCRIPT' 2>/dev/null
END
    ok
    is "$dir/below"$'\nyes\n/root\nyes'
}

@test "steps with --export=NONE and --export=A=B stay in the image" {
    script <<'END'
srun -n1 --export=NONE /bin/sed -n s/^IMAGE_ID=/none:/p /etc/os-release
srun -n1 --export=A=B sh -c 'echo $A; sed -n s/^IMAGE_ID=/ab:/p /etc/os-release'
END
    ok
    is $'none:musl\nB\nab:musl'
    script --export=NONE <<'END'
srun -n1 sh -c 'sed -n s/^IMAGE_ID=/none:/p /etc/os-release'
END
    ok
    is none:musl
}

@test "sbatch inside: the new job is on the host, or in the image that is said" {
    dir=$(own alice sub)
    script -D "$dir" <<END
sbatch -Q -o host.log --wrap 'cat /etc/os-release'
sbatch -Q -o image.log --container=$(image tiny.sqsh) --wrap 'cat /etc/os-release'
END
    ok
    wait_until 20 grep -qs ^ID= "$dir/host.log"
    wait_until 20 grep -qs IMAGE_ID=tiny "$dir/image.log"
    run grep IMAGE_ID "$dir/host.log"
    fails 1
    wait_until 10 no_jobs
}

@test "squeue, scontrol, sinfo inside see the job and the nodes; scancel ends a step and the job" {
    script <<'END'
squeue -h -j $SLURM_JOB_ID -o '%T %u'
scontrol show job $SLURM_JOB_ID | grep -c JobState=RUNNING
sinfo -h -o %D
srun -n1 sleep 100 &
until squeue -h -s -j $SLURM_JOB_ID -o %i | grep -q '\.0$'; do sleep 0.1; done
scancel $SLURM_JOB_ID.0
wait $!
echo "step ended $?"
scancel $SLURM_JOB_ID
sleep 100
END
    fails
    [[ $output == $'RUNNING berthalice\n1\n2\n'* ]] || { echo "$output"; return 1; }
    has "step ended 1"
    has CANCELLED
}

@test "salloc inside" {
    script <<<"salloc -Q -n1 srun -n1 -Q --container-image=$(image tiny.sqsh) sed -n s/^IMAGE_ID=//p /etc/os-release"
    ok
    is tiny
}

@test "ranks started by an srun inside: PMI2" {
    IMG=$(image mpi.sqsh) script <<<'srun -n2 --mpi=pmi2 /opt/mpi/mpich/ring'
    ok
    has "ring of 2: token 2"
}

@test "ranks started by an srun inside: PMIx, whose library is the host's" {
    needs_mpi pmix
    IMG=$(image mpi.sqsh) script <<<'srun -n2 --mpi=pmix /opt/mpi/openmpi/ring'
    ok
    has "ring of 2: token 2"
}

@test "srun inside an interactive step of salloc" {
    drop_in "$BERTH_TOP/tests/tools/terminal" "$(own alice bin)"
    run as alice SHELL=/bin/sh /usr/bin/python3 "$BERTH_W/work/bin/terminal" 30x100 \
        salloc --container="$(image musl.sqsh)" <<END
expect Granted
send $(where shell); srun --overlap sh -c '$(where step)'
expect shell:musl
expect step:musl
expect $
send exit
END
    ((status == 0)) || { echo "$output"; return 1; }
}

@test "without slurm=yes there are no such commands" {
    args slurm=no
    inside musl.sqsh -- squeue
    fails
    [[ $stderr == *"squeue"*"No such file or directory"* ]]
    inside base.sqsh -- sh -c 'command -v srun || echo none'
    is none
}
