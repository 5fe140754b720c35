#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# Other ways of srun and sbatch to start a command, and what they do with it: all of them inside the image.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

WHERE='sed -n s/^IMAGE_ID=//p /etc/os-release'

@test "--multi-prog: each program is looked up in the image" {
    local dir
    dir=$(own alice mpmd)
    printf "%s\n" '0 sed -n s/^IMAGE_ID=/first:/p /etc/os-release' "1-2 sh -c 'echo \$0' %t-%o" >"$dir/conf"
    inside base.sqsh -n3 -l --multi-prog -- "$dir/conf"
    ok
    output=$(sort <<<"$output")
    is $'0: first:base\n1: 1-0\n2: 2-1'
}

@test "--bcast: the program that srun copies to the nodes runs in the image" {
    local dir
    dir=$(own alice bcast)
    printf '#!/bin/sh\necho "copied $(%s)"\n' "$WHERE" >"$dir/prog"
    chmod 755 "$dir/prog"
    inside base.sqsh -N2 --bcast=/tmp/berth-bcast.prog -- "$dir/prog"
    rm -f /tmp/berth-bcast.prog
    ok
    is $'copied base\ncopied base'
}

@test "standard input goes to all tasks, or to one" {
    host sh -c "echo word | srun -n3 --container=$(image base.sqsh) sh -c 'cat; $WHERE'"
    ok
    output=$(sort <<<"$output")
    is $'base\nbase\nbase\nword\nword\nword'
    host sh -c "echo word | srun -n3 -l -i 1 --container=$(image base.sqsh) cat"
    ok
    is '1: word'
}

@test "output files of each task are the host's" {
    local dir
    dir=$(own alice out)
    inside base.sqsh -n2 -o "$dir/out.%t" -e "$dir/err.%t" -- sh -c "$WHERE; echo \$SLURM_PROCID >&2"
    ok
    is ""
    output=$(cat "$dir"/out.0 "$dir"/out.1 "$dir"/err.0 "$dir"/err.1)
    is $'base\nbase\n0\n1'
}

@test "a job array: each of its scripts runs inside" {
    local dir job
    dir=$(own alice array)
    job=$(as alice sbatch --parsable --array=1-3 --output="$dir/%a" --container="$(image base.sqsh)" \
        --wrap "$WHERE; echo \$SLURM_ARRAY_TASK_ID")
    wait_until 60 array_over "$job"
    output=$(cat "$dir"/1 "$dir"/2 "$dir"/3)
    is $'base\n1\nbase\n2\nbase\n3'
}

array_over() { [[ -z $(squeue -h -j "$1" 2>/dev/null) ]]; }

@test "scancel --signal reaches the task, and sbatch --signal=B: the script" {
    local dir job
    dir=$(own alice signal)
    job=$(as alice sbatch --parsable --output="$dir/log" --container="$(image base.sqsh)" --wrap \
        'trap "echo told; exit 0" USR1; echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done')
    wait_until 30 grep -qs ready "$dir/log"
    as alice scancel --batch --signal=USR1 "$job"
    wait_until 30 job_over "$job"
    output=$(cat "$dir/log")
    is $'ready\ntold'
}

@test "--kill-on-bad-exit: the other tasks end, and nothing is said of Berth" {
    inside base.sqsh -n2 --kill-on-bad-exit=1 -- sh -c '[ $SLURM_PROCID = 0 ] && exit 7; sleep 60'
    fails
    [[ $stderr != *berth:* ]]
}

@test "--task-prolog and --task-epilog of srun are the user's own, in the host's place or the image's" {
    local dir
    dir=$(own alice tasks)
    printf '#!/bin/sh\necho "export FROM_PROLOG=$(%s)"\n' "$WHERE" >"$dir/prolog"
    printf '#!/bin/sh\ntouch %s/epilog.$SLURM_PROCID\n' "$dir" >"$dir/epilog"
    chmod 755 "$dir/prolog" "$dir/epilog"
    inside base.sqsh -n2 --task-prolog="$dir/prolog" --task-epilog="$dir/epilog" --container-mounts="$dir" -- \
        sh -c 'echo $FROM_PROLOG'
    ok
    is $'base\nbase'
    [[ -e $dir/epilog.0 && -e $dir/epilog.1 ]]
}

@test "root's own step, and sbatch --uid: the job is that user's" {
    local dir job
    unset TMPDIR # the tests' own is not in the image, and Slurm would say so
    run --separate-stderr srun --container="$(image base.sqsh)" sh -c "$WHERE; id -u"
    ok
    is $'base\n0'
    dir=$(own alice uid)
    job=$(sbatch --parsable --uid=berthalice --chdir="$dir" --output="$dir/log" --container="$(image base.sqsh)" \
        --wrap "$WHERE; id -un")
    wait_until 30 job_over "$job"
    output=$(cat "$dir/log")
    is $'base\nberthalice'
}

# counts FILE: are there more lines in it than a moment ago?
counts() {
    local before
    before=$(wc -l <"$1")
    sleep 0.5
    (($(wc -l <"$1") > before))
}

# A FUSE server is one of the step's processes: it stands still and goes on with them.
@test "a suspended job goes on where it stopped, its image a user's or the site's; scancel ends it while it is suspended" {
    local dir img job
    dir=$(own alice suspend)
    for img in "$(image_of alice base.sqsh)" "$(image base.sqsh)"; do
        job=$(as alice sbatch --parsable --output="$dir/log" --container="$img" \
            --wrap 'for i in $(seq 1 300); do cat /bin/sh >/dev/null && echo $i; sleep 0.1; done')
        wait_until 30 eval '[[ -e $dir/log ]] && counts "$dir/log"'
        scontrol suspend "$job"
        wait_until 10 eval '! counts "$dir/log"'
        scontrol resume "$job"
        wait_until 10 counts "$dir/log"
        scontrol suspend "$job"
        as alice scancel "$job"
        wait_until 30 job_over "$job"
        [[ $(cat "$dir/log") == "$(seq 1 "$(wc -l <"$dir/log")")" ]]
    done
}

requeued() { [[ $(job_state "$1") == PENDING ]]; }

@test "a job that is requeued runs inside again" {
    local dir job
    dir=$(own alice requeue)
    job=$(as alice sbatch --parsable --requeue --open-mode=append --output="$dir/log" --container="$(image base.sqsh)" \
        --wrap "$WHERE; [ -n \"\$SLURM_RESTART_COUNT\" ] || sleep 60")
    wait_until 30 grep -qs base "$dir/log"
    scontrol requeue "$job"
    wait_until 30 requeued "$job"
    scontrol update jobid="$job" starttime=now
    wait_until 60 job_over "$job"
    output=$(grep -v 'DUE TO JOB REQUEUE' "$dir/log") # Slurm's own line
    is $'base\nbase'
}
