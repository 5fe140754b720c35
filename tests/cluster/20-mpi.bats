#!/usr/bin/env bats
# Programs of both MPI families start under Slurm's PMIx and PMI2 with no action of the user, as they do bare.

load common
load rows
load user
NEEDS_PLUGIN=yes

# mpi FAMILY PROGRAM --mpi=TYPE [srun arguments]: runs a program of the MPI image.
mpi() {
    local family=$1 program=$2 img
    shift 2
    needs_mpi "${1#--mpi=}"
    img=$(image mpi.sqsh)
    run as alice srun --container="$img" "$@" "/opt/mpi/$family/$program"
    ok
}

@test "Open MPI by PMIx, one node, 2 and 4 ranks" {
    mpi openmpi ring --mpi=pmix -n2
    has "ring of 2: token 2"
    mpi openmpi ring --mpi=pmix -N1 -n4
    has "ring of 4: token 4"
}

@test "Open MPI by PMIx, 2 nodes x 2 ranks" {
    mpi openmpi ring --mpi=pmix -N2 --ntasks-per-node=2
    has "ring of 4: token 4"
    mpi openmpi hello --mpi=pmix -N2 --ntasks-per-node=2
    has "rank 3 of 4"
}

@test "Open MPI by PMIx, 2 nodes x 8 ranks" {
    mpi openmpi ring --mpi=pmix -N2 --ntasks-per-node=8
    has "ring of 16: token 16"
}

@test "MPICH by PMI2, one node, 2 and 4 ranks" {
    mpi mpich ring --mpi=pmi2 -n2
    has "ring of 2: token 2"
    mpi mpich ring --mpi=pmi2 -N1 -n4
    has "ring of 4: token 4"
}

@test "MPICH by PMI2, 2 nodes x 2 ranks" {
    mpi mpich ring --mpi=pmi2 -N2 --ntasks-per-node=2
    has "ring of 4: token 4"
}

@test "MPICH by PMI2, 2 nodes x 8 ranks" {
    mpi mpich ring --mpi=pmi2 -N2 --ntasks-per-node=8
    has "ring of 16: token 16"
}

# With PWD, which every shell sets, the container is built before Slurm has made PMIx's directories.
@test "Open MPI by PMIx from a shell" {
    local img
    needs_mpi pmix
    img=$(image mpi.sqsh)
    run as alice bash -c "srun --mpi=pmix -n2 --container='$img' /opt/mpi/openmpi/ring"
    ok
    has "ring of 2: token 2"
}

@test "shared memory between two ranks of Open MPI: all sizes arrive" {
    mpi openmpi pingpong --mpi=pmix -n2
    [[ $(awk '{ print $1 }' <<<"$output") == $'8\n65536\n1048576' ]]
}

@test "shared memory between two ranks of MPICH: all sizes arrive" {
    mpi mpich pingpong --mpi=pmi2 -n2
    [[ $(awk '{ print $1 }' <<<"$output") == $'8\n65536\n1048576' ]]
}

@test "steps of a batch script: by --container-image, writable, in namespaces of their own" {
    local img
    needs_mpi pmix
    img=$(image mpi.sqsh)
    batch -n4 --wrap "srun --mpi=pmix --container-image=$img --container-writable /opt/mpi/openmpi/ring
        srun --mpi=pmix -N1 -n2 --container-image=$img --container-unshare=ipc,uts /opt/mpi/openmpi/ring"
    ok
    has "ring of 4: token 4"
    has "ring of 2: token 2"
}

@test "an image of the user's own, through FUSE" {
    needs_mpi pmix
    run as alice srun --mpi=pmix -N2 --ntasks-per-node=2 --container="$(image_of alice mpi.sqsh)" \
        /opt/mpi/openmpi/ring
    ok
    has "ring of 4: token 4"
}
