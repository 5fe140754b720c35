#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# The options of a user where every job has a /tmp and /dev/shm of its own. That containers of all kinds see the job's
# is in 13-private-tmp.bats.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

cluster_knobs() { export CLUSTER_TMPFS=yes; }

# in_job COMMANDS: alice's, in an allocation of one node; $T is `srun -Q` with an image.
in_job() { host salloc -Q -N1 sh -c "T='srun -Q --container=$(image tiny.sqsh)'; $1"; }

@test "mounts from the job's own /tmp, and onto it" {
    in_job 'srun sh -c "mkdir /tmp/d; echo one >/tmp/d/f"
        $T --container-mounts=/tmp/d:/mnt cat /mnt/f
        $T --container-mounts=/tmp/d/f:/f:ro cat /f
        $T --container-mounts=tmpfs:/tmp sh -c "ls /tmp; touch /tmp/x"
        $T --container-mounts=/tmp/d:/tmp/other cat /tmp/other/f
        srun ls /tmp'
    ok
    is $'one\none\none\nd\nother'
}

@test "the working directory: in the job's /tmp, by -D, by cd in the script, by --container-workdir; and elsewhere" {
    in_job 'srun mkdir /tmp/work; $T -D /tmp/work pwd 2>/dev/null; $T --container-workdir=/tmp/work pwd; $T pwd
        $T -D /usr/include pwd'
    ok
    is $'/tmp/work\n/tmp/work\n/home/berthalice\n/'
    says "the working directory /usr/include is not in the container: using /"
    dir=$(own alice cwd)
    AS_CWD=$dir inside tiny.sqsh -- sh -c 'pwd; touch mark'
    is "$dir"
    [[ -e $dir/mark ]]
    batch --wrap "mkdir /tmp/work; cd /tmp/work; srun -Q --container=$(image tiny.sqsh) pwd"
    has /tmp/work
}

@test "an image below the job's /tmp, and mounts, workdir and environment with it" {
    img=$(variant path.sqsh 'mkdir -p opt/tool; echo PATH=/opt/tool:/bin >etc/environment
        printf "#!/bin/sh\necho found\n" >opt/tool/only-inside; chmod 755 opt/tool/only-inside')
    in_job "srun cp $img /tmp/my.sqsh
        srun --container=/tmp/my.sqsh --container-workdir=/opt/tool sh -c 'only-inside; pwd'"
    ok
    is $'found\n/opt/tool'
}

@test "--overlap and --container-join see the job's /tmp, and each its container" {
    HOLD=$(own alice hold)
    background srun --job-name="run$BERTH_SLOT" --container="$(image tiny.sqsh)" --container-mounts="$HOLD:/mnt" \
        sh -c 'echo job >/tmp/f; touch /mnt/up; exec sleep 100'
    step_runs "$HOLD/up"
    JOB=$(squeue -h -n "run$BERTH_SLOT" -o %i)
    host srun --overlap --jobid="$JOB" --container-image="$(image base.sqsh)" \
        sh -c 'cat /tmp/f; ls /mnt; sed -n s/IMAGE_ID=//p /etc/os-release'
    ok
    is $'job\nbase'
    host srun --overlap --jobid="$JOB" --container-join=0 \
        sh -c 'cat /tmp/f; ls /mnt; sed -n s/IMAGE_ID=//p /etc/os-release'
    ok
    is $'job\nup\ntiny'
}

@test "every rank of MPI finds its PMIx server and its neighbours, on two nodes" {
    for mpi in 'pmix openmpi' 'pmi2 mpich'; do
        read -r type family <<<"$mpi"
        as alice srun --mpi=list 2>&1 | grep -qw "$type" || continue
        inside mpi.sqsh --mpi="$type" -N2 --ntasks-per-node=2 -- "/opt/mpi/$family/ring"
        ok
        is "ring of 4: token 4"
    done
}

@test "remapped root, namespaces of its own and a writable root" {
    args remap_root=yes
    inside tiny.sqsh --container-remap-root --container-writable --container-unshare=net,ipc,uts -- \
        sh -c 'id -u; echo x >/new && cat /new; touch /tmp/x && stat -c %u /tmp/x'
    ok
    is $'0\nx\n0'
}

@test "a terminal" {
    drop_in "$BERTH_TOP/tests/tools/terminal" "$(own alice bin)"
    run as alice /usr/bin/python3 "$BERTH_W/work/bin/terminal" 30x100 \
        srun --pty --container="$(image tiny.sqsh)" sh <<'END'
send stat -c '%F %U' $(tty)
expect character special file berthalice
send exit
END
    ((status == 0)) || { echo "$output"; return 1; }
}

@test "mount_tmp=no: the image's own /tmp, and PMIx all the same" {
    args mount_tmp=no
    inside base.sqsh -- sh -c 'grep -c " /tmp " /proc/self/mountinfo; touch /tmp/x'
    fails
    has 0
    as alice srun --mpi=list 2>&1 | grep -qw pmix || skip "this Slurm has no mpi/pmix"
    inside mpi.sqsh --container-mounts=tmpfs:/tmp --mpi=pmix -N2 --ntasks-per-node=2 -- /opt/mpi/openmpi/ring
    ok
    has "ring of 4: token 4"
}
