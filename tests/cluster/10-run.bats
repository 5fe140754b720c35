#!/usr/bin/env bats
# A command runs inside its image: every kind of image, srun, sbatch and salloc, several nodes, many tasks.

load common
NEEDS_PLUGIN=yes

# inside IMAGE ID [srun arguments]: runs `cat /etc/os-release` inside, which must say IMAGE_ID=ID.
inside() {
    local img=$1 id=$2
    shift 2
    run as alice srun --container="$img" "$@" cat /etc/os-release
    ok
    has "IMAGE_ID=$id"
}

@test "squashfs" { inside "$(image base.sqsh)" base; }
@test "erofs, uncompressed" { inside "$(image base.erofs)" base; }
@test "erofs, lz4" { inside "$(image base-lz4.erofs)" base; }
@test "SIF" { inside "$(image base.sif)" base; }
@test "a root directory" { inside "$(image base)" base; }
@test "an OCI bundle" { inside "$(image bundle)" bundle; }
@test "an image without a single mount point" { inside "$(image tiny.sqsh)" tiny; }

@test "an image with another libc" {
    inside "$(image musl.sqsh)" musl
    run as alice srun --container="$(image musl.sqsh)" hello
    ok
    has "hello from musl"
}

@test "the user's own squashfs, through FUSE" { inside "$(image_of alice base.sqsh)" base; }
@test "the user's own directory" {
    image_put /home/berthalice bundle berthalice
    inside /home/berthalice/bundle/rootfs bundle
}

@test "the kind is told by content, not by name" {
    cp "$(image tiny.sqsh)" "$BERTH_IMAGES/misnamed.sif"
    inside "$BERTH_IMAGES/misnamed.sif" tiny
}

@test "a relative path" {
    image_of alice tiny.sqsh
    inside images/tiny.sqsh tiny
}

@test "--container-image says the same" {
    run as alice srun --container-image="$(image base.sqsh)" cat /etc/os-release
    ok
    has IMAGE_ID=base
}

@test "the command's exit code" {
    run as alice srun --container="$(image base.sqsh)" sh -c 'exit 7'
    fails 7
}

@test "the user stays the user, with all groups" {
    run as alice srun --container="$(image base.sqsh)" sh -c 'id -u; id -g; id -G; id -un; id -gn'
    ok
    [[ $output == "$(as alice sh -c 'id -u; id -g; id -G; id -un; id -gn')" ]]
}

@test "two nodes, two tasks each" {
    # shellcheck disable=SC2016  # expanded in the job
    run as alice srun -N2 --ntasks-per-node=2 --container="$(image base.sqsh)" \
        sh -c 'echo "$SLURMD_NODENAME $(sed -n s/IMAGE_ID=//p /etc/os-release)"'
    ok
    [[ $(grep -cx "$(node 1) base" <<<"$output") == 2 ]]
    [[ $(grep -cx "$(node 2) base" <<<"$output") == 2 ]]
}

@test "two nodes, 16 tasks each, in one mount namespace per node" {
    # shellcheck disable=SC2016  # expanded in the job
    run as alice srun -N2 --ntasks-per-node=16 --container="$(image base.sqsh)" \
        sh -c 'echo "$SLURMD_NODENAME $(readlink /proc/self/ns/mnt)"'
    ok
    [[ $(wc -l <<<"$output") == 32 ]]
    [[ $(sort -u <<<"$output" | wc -l) == 2 ]]
}

@test "64 tasks on each of two nodes" {
    run as alice srun -N2 --ntasks-per-node=64 --container="$(image tiny.sqsh)" cat /etc/os-release
    ok
    [[ $(grep -c IMAGE_ID=tiny <<<"$output") == 128 ]]
}

@test "sbatch: the script and its steps run inside" {
    as alice tee job.sh >/dev/null <<'END'
#!/bin/sh
sed -n s/IMAGE_ID=/script:/p /etc/os-release
END
    run as alice sbatch --wait --output=job.log --container="$(image base.sqsh)" job.sh
    ok
    run as alice cat job.log
    has script:base
}

@test "sbatch: #SBATCH --container" {
    as alice tee job.sh >/dev/null <<END
#!/bin/sh
#SBATCH --container=$(image base.sqsh)
sed -n s/IMAGE_ID=/script:/p /etc/os-release
END
    run as alice sbatch --wait --output=job.log job.sh
    ok
    run as alice cat job.log
    has script:base
}

@test "sbatch on the host: srun --container inside the script" {
    run as alice sbatch --wait -n2 --output=job.log \
        --wrap "srun -n2 --container=$(image base.sqsh) cat /etc/os-release; cat /etc/os-release"
    ok
    run as alice cat job.log
    [[ $(grep -c IMAGE_ID=base <<<"$output") == 2 ]]
}

@test "salloc: srun --container in the allocation" {
    run as alice salloc -N2 srun --container="$(image base.sqsh)" cat /etc/os-release
    ok
    [[ $(grep -c IMAGE_ID=base <<<"$output") == 2 ]]
}

@test "salloc --container: the interactive step runs inside" {
    # salloc wants a terminal for its shell, script(1) is one.
    # shellcheck disable=SC2016  # expanded in the job
    run as alice script -qec "salloc --container=$(image base.sqsh)" /dev/null \
        <<<'sed -n s/IMAGE_ID=/shell:/p /etc/os-release; exit'
    has shell:base
}

@test "one step beside another, different images" {
    as alice srun --container="$(image base.sqsh)" sh -c 'sleep 1; cat /etc/os-release' >"$BATS_TEST_TMPDIR/one" &
    inside "$(image tiny.sqsh)" tiny
    wait $!
    grep IMAGE_ID=base "$BATS_TEST_TMPDIR/one"
}

@test "a heterogeneous job: --container holds for its components" {
    run as alice srun -n1 --container="$(image base.sqsh)" cat /etc/os-release : -n1 cat /etc/os-release
    ok
    [[ $(grep -c IMAGE_ID=base <<<"$output") == 2 ]]
}

@test "a missing image: one line, a failed step, an idle node" {
    run as alice srun --container="$BERTH_IMAGES/none.sqsh" true
    fails
    has "$BERTH_IMAGES/none.sqsh"
    wait_until 5 nodes_are idle
}

@test "sbatch with a missing image: fails, and the node is not drained" {
    run as alice sbatch --wait --output=job.log --container="$BERTH_IMAGES/none.sqsh" --wrap 'echo ran >ran'
    fails
    run as alice cat job.log
    has "$BERTH_IMAGES/none.sqsh"
    run as alice test -e ran
    fails
}
