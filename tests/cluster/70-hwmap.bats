#!/usr/bin/env bats
# Slurm takes what berth-hwmap says: the lines of `berth-hwmap gres` in a real gres.conf.

load common

HWMAP=${HWMAP:-$BERTH_PREFIX/bin/berth-hwmap}
MKTREE=${MKTREE:-$BERTH_W/build/tests/hwmap/mktree}

# The command and the machines can be had here.
tools() {
    [[ -x $MKTREE ]] || make -C "$BERTH_W/build" tests/hwmap/mktree >/dev/null 2>&1
    [[ -x $MKTREE ]] && "$HWMAP" --version >/dev/null 2>&1
}
needs_tools() { tools || skip "berth-hwmap or mktree is not built"; }

# lines MACHINE [OPTION...]: what gres says of it.
lines() {
    local dir=$BATS_FILE_TMPDIR/$1
    [[ -d $dir ]] || "$MKTREE" "$1" "$dir" || return
    shift
    "$HWMAP" gres --sysfs "$dir" "$@"
}

# node_gres: from what gres prints, the value for a NodeName line.
node_gres() { sed -n 's/^#  *Gres=//p'; }

cluster_knobs() {
    tools || return 0
    lines c240 | file_put "$BERTH_W/conf/gres.conf"
    export CLUSTER_EXTRA="GresTypes=usnic" CLUSTER_NODE_EXTRA
    CLUSTER_NODE_EXTRA=Gres=$(node_gres <"$BERTH_W/conf/gres.conf")
}

teardown_file() {
    rm -f "$BERTH_W/conf/gres.conf"
    unset "${!CLUSTER_@}"
    cluster_restart
}

@test "slurmd and slurmctld take the lines: every VF is a unit" {
    needs_tools
    run scontrol show node "$(node 1)"
    ok
    has Gres=usnic:enic:256
    run sinfo -h -n "$(node 1)" -o '%T %G'
    [[ $output == idle*usnic:enic:256* ]]
    run grep -iE 'gres.*(error|fatal|invalid)|(error|fatal|invalid).*gres' "$BERTH_W/log/slurmd.$(node 1).log"
    [[ -z $output ]]
}

@test "steps get units, and no more than there are" {
    needs_tools
    run as alice srun -w "$(node 1)" --gres=usnic:3 true
    ok
    run as alice srun -w "$(node 1)" --gres=usnic:enic:256 true
    ok
    run as alice srun -w "$(node 1)" --gres=usnic:enic:257 true
    fails
}

# slurmd_takes MACHINE: `slurmd -G` with the machine's lines, and what it prints. Device nodes that lines name are
# made, in a mount namespace that ends with it.
slurmd_takes() {
    local d=$BATS_TEST_TMPDIR/$1
    mkdir -p "$d"
    lines "$1" >"$d/gres.conf"
    grep -vE '^(PlugStackConfig|GresTypes)=' "$BERTH_W/conf/slurm.conf" |
        sed -E "s/^(NodeName=.*) Gres=.*/\1/; s/^NodeName=.*/& Gres=$(node_gres <"$d/gres.conf")/" >"$d/slurm.conf"
    echo GresTypes=usnic >>"$d/slurm.conf"
    # shellcheck disable=SC2016 # for the inner shell
    run unshare --mount --propagation private sh -c '
        mount -t tmpfs tmpfs /mnt && mkdir /mnt/infiniband || exit
        for n in null zero random urandom; do cp -a /dev/$n /mnt/; done
        n=0; while [ $n -lt 16 ]; do mknod /mnt/infiniband/uverbs$n c 231 $((192 + n)) || exit; n=$((n + 1)); done
        mount --move /mnt /dev
        exec slurmd -G -N "$1" -f "$2/slurm.conf"' sh "$(node 1)" "$d"
    ok
    hasnt error
    hasnt fatal
}

@test "slurmd reads the lines of other machines" {
    needs_tools
    for m in c240 many-vfs single kinds part; do
        slurmd_takes "$m"
        has Name=usnic
    done
}

@test "devices with a node each are files to Slurm, with the cores beside them" {
    needs_tools
    slurmd_takes eight-rail
    has 'Count=4 Index=0'
    has 'File=/dev/infiniband/uverbs[4-7] Cores=0-31'
    has 'File=/dev/infiniband/uverbs[0-3] Cores=32-63'
}
