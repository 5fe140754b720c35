#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# The plugin is loaded and nobody asks for a container: nothing is different, and nothing of Berth's runs.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# without CMD...: the same while the plugin is not loaded.
without() {
    BERTH_PLUGSTACK='# nothing' plugstack_write
    "$@"
    plugstack_write
}

# seen: what a step can see of itself, but for what differs from step to step.
SEEN='env | sort; umask; pwd; ulimit -a; cat /proc/self/mountinfo; readlink /proc/self/ns/*
    for l in /proc/self/fd/*; do echo "${l##*/} $(readlink "$l")"; done
    grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|SigCgt)" /proc/self/status'
seen() {
    host srun -w "$(node 1)" "$@" bash -c "$SEEN"
    ok
    sed -E -e 's/(pipe|socket|inode):?\[?[0-9]+\]?/\1/; s,/proc/[0-9]+,/proc/N,' \
        -e '/^SLURM_(JOB_?ID|JOB_SLUID|JOB_(START|END)_TIME|STEP_ID|STEPID|TASK_PID|WORKING_CLUSTER|.*PORT.*)=/d' <<<"$output"
}

@test "a step sees the same with and without it: environment, descriptors, mounts, rights, namespaces" {
    loaded=$(seen)
    [[ -n $loaded ]]
    bare=$(without seen)
    diff <(echo "$bare") <(echo "$loaded")
    pmi=$(seen --mpi=pmi2 -n2)
    diff <(without seen --mpi=pmi2 -n2 | sort | grep -v '^SLURM_\|^PMI') <(sort <<<"$pmi" | grep -v '^SLURM_\|^PMI')
}

@test "a batch script sees the same" {
    loaded() {
        batch -w "$(node 1)" --wrap "env | sort; readlink /proc/self/ns/*; cat /proc/self/mountinfo"
        sed -E '/^SLURM_(JOB_?ID|JOB_SLUID|JOB_(START|END)_TIME|TASK_PID|WORKING_CLUSTER)=/d' <<<"$output"
    }
    with=$(loaded)
    diff <(without loaded) <(echo "$with")
}

eval "unused_$(declare -f teardown)"
teardown() {
    [[ ! -e $(helper).away ]] || mv "$(helper).away" "$(helper)"
    unused_teardown
}

# Where the helper cannot be started, a step that wants it fails: so a step that works did not want it.
@test "no helper is started, for srun, sbatch, salloc and the extern step" {
    helper=$(helper)
    mv "$helper" "$helper.away"
    host srun -N2 -n4 echo plain
    plain=$output$stderr
    batch --wrap 'echo batch; srun echo step'
    batch=$output
    host salloc -Q srun echo alloc
    alloc=$output$stderr
    inside tiny.sqsh -- true
    wanted=$status
    mv "$helper.away" "$helper"
    printf '%s\n' "$plain" "$batch" "$alloc" "$wanted"
    [[ $plain == $'plain\nplain\nplain\nplain' && $batch == $'batch\nstep' && $alloc == alloc && $wanted != 0 ]]
}

@test "a plain step execs its command and nothing else" {
    trace "$BATS_TEST_TMPDIR/log" -e trace=execve
    run as alice srun -w "$(node 1)" /bin/true
    trace_end
    ok
    run sh -c "cat '$BATS_TEST_TMPDIR'/log.* | sed -n 's/^execve(\"\([^\"]*\)\".* = 0\$/\1/p' | sed 's,.*/,,' | sort"
    is $'slurmstepd\ntrue'
}

@test "a variable of Berth's that is not about an image changes nothing" {
    ENV=(BERTH_CONTAINER_WRITABLE=yes BERTH_CONTAINER_WORKDIR=/nothing SLURM_BERTH_CONTAINER_MOUNTS=nonsense)
    host srun cat /etc/os-release
    ok
    hasnt IMAGE_ID=
}
