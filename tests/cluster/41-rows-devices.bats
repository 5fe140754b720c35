#!/usr/bin/env bats
# Row 2 of the threat table: what Slurm's device cgroup denies a step stays denied in a container.
# Slurm constrains devices of the GRES that it has a plugin for: "gpu" will do. Two nodes that no driver serves: an allowed one answers ENXIO to open, a denied one EPERM.

load common
NEEDS_PLUGIN=yes

cluster_knobs() {
    local i
    for i in 0 1; do
        rm -f "/dev/berth-test$i"
        mknod -m 666 "/dev/berth-test$i" c 231 "$((192 + i))"
    done
    echo 'Name=gpu File=/dev/berth-test[0-1]' >"$BERTH_W/conf/gres.conf"
    export CLUSTER_EXTRA=GresTypes=gpu CLUSTER_NODE_EXTRA=Gres=gpu:2
}

teardown_file() {
    rm -f /dev/berth-test[01] "$BERTH_W/conf/gres.conf"
    unset "${!CLUSTER_@}"
    cluster_restart
}

# shellcheck disable=SC2016  # expanded in the job
OPEN='for i in 0 1; do cat /dev/berth-test$i 2>&1; done; true'

# one_of_two N: of the two devices each of N tasks may open one.
one_of_two() {
    [[ $(grep -c 'No such device or address' <<<"$output") == "$1" ]] || { has "No such device"; return 1; }
    [[ $(grep -c 'Operation not permitted' <<<"$output") == "$1" ]] || { has "not permitted"; return 1; }
}

in_image() { echo "--container=$(image base.sqsh) --container-mounts=/dev/berth-test0,/dev/berth-test1"; }

@test "row 2: a step with one of two devices has that one only: bare, then in a container, then bare again" {
    local how n
    for n in 1 4; do
        for how in '' "$(in_image)" ''; do
            # shellcheck disable=SC2086  # words
            run as alice srun -n"$n" --gres=gpu:1 $how sh -c "$OPEN"
            ok
            one_of_two "$n"
        done
    done
}

@test "row 2: a user's own image, through FUSE" {
    run as alice srun --gres=gpu:1 --container="$(image_of alice base.sqsh)" \
        --container-mounts=/dev/berth-test0,/dev/berth-test1 sh -c "$OPEN"
    ok
    one_of_two 1
}

@test "row 2: a step without the devices has neither, and cannot make them" {
    # shellcheck disable=SC2046  # words
    run as alice srun $(in_image) --container-writable sh -c "$OPEN; mknod /tmp/row2 c 231 192 2>&1; true"
    ok
    [[ $(grep -c 'Operation not permitted' <<<"$output") == 3 ]] || { has "not permitted thrice"; return 1; }
}

@test "row 2: a batch script in a container" {
    # shellcheck disable=SC2046  # words
    run as alice sbatch --wait --output=row2.log --gres=gpu:1 $(in_image) --wrap="$OPEN"
    ok
    output=$(<~berthalice/row2.log)
    rm -f ~berthalice/row2.log
    one_of_two 1
}
