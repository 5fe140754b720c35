#!/usr/bin/env bats
# slurm=yes: Slurm's commands inside, with the host's loader and libraries, whatever the image has.

load common
NEEDS_PLUGIN=yes

cluster_knobs() {
    export BERTH_ARGS="slurm=yes slurm_paths=$BERTH_W/munge"
}

# commands IMAGE: those that a job script uses.
commands() {
    # shellcheck disable=SC2016  # expanded in the job
    run as alice srun --container="$(image "$1")" \
        sh -c 'srun --version && squeue -h -o "job %i" && sinfo -h -o "part %P" && scancel --help >/dev/null'
    ok
    has "slurm"
    has "job "
    has "part test"
}

@test "srun, squeue, sinfo and scancel in an image of the host's libc" { commands base.sqsh; }
@test "in an image of another libc" { commands musl.sqsh; }
@test "in an image with no libc at all" { commands tiny.sqsh; }

@test "a batch script in an image starts steps: in it, in another one, on the host" {
    as alice tee inner.sh >/dev/null <<END
#!/bin/sh
#SBATCH --container=$(image musl.sqsh)
sed -n s/IMAGE_ID=/script:/p /etc/os-release
srun sed -n s/IMAGE_ID=/same:/p /etc/os-release
srun --container=$(image tiny.sqsh) sed -n s/IMAGE_ID=/other:/p /etc/os-release
srun --no-container test -e /usr/bin/dpkg && echo host
END
    run as alice sbatch --wait --output=inner.log inner.sh
    ok
    run as alice cat inner.log
    [[ $output == $'script:musl\nsame:musl\nother:tiny\nhost' ]]
}
