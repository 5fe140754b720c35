#!/usr/bin/env bats
# Slurm's own GRES hands out the VFs, with cgroup v2 and v1: with gres=yes a step has those that its GRES grants, in
# /dev/infiniband, in its variables and in the rules of its cgroup, which stay Slurm's, too.

bats_require_minimum_version 1.5.0
load common

setup_file() {
    local v
    node_slurm_ready || return 0
    "$NODE_DIR/../images/build" rdma.sqsh >&2
    for v in v2 v1; do node_boot "$v" --bare --cgroup "$v" --timeout 400 bash "$NODE_DIR/inside/40-gres"; done
}

setup() { node_needed; }

# with v2|v1: the facts of that boot.
with() {
    [[ $(node_rc "$1") == 0 ]] || return
    cd "$(node_dir "$1")" || return
    tail -v -n 20 plain plain.err one one.err two two.err rules.? >&2
}

# opened FILE: which uverbs nodes the ranks of that step could open.
opened() { sed -n 's/.*: \(uverbs[0-9]*\) open$/\1/p' "$1" | sort; }
given() { sed -n 's/.*: BERTH_UVERBS=//p' "$1" | sort; }

what_slurm_grants() {
    with "$1" || return
    [[ $(grep -c 'File=/dev/infiniband/uverbs' gres.conf) -ge 1 ]] || return
    # Slurm alone: one node of four
    [[ $(opened plain | wc -l) == 1 ]] || return
    [[ $(<one.rc) == 0 && $(opened one) == "$(given one)" && $(opened one | wc -l) == 1 ]] || return
    [[ $(grep -c "Slurm's GRES does not grant it" one.err) == 3 ]]
}

@test "v2: a step has the device that its GRES grants, and no other" { what_slurm_grants v2; }
@test "v1: a step has the device that its GRES grants, and no other" { what_slurm_grants v1; }

too_few() {
    with "$1" || return
    cat few.err none.err >&2
    [[ $(<few.rc) != 0 && $(<none.rc) != 0 && $(<nodes) == 'node1 idle none' ]] || return
    grep -q "devices that Slurm's GRES does not grant count as leased" few.err &&
        grep -q "Slurm's GRES grants this step no NIC of the node" none.err
}

@test "v2: more than the GRES grants, or without: one line, no step" { too_few v2; }
@test "v1: more than the GRES grants, or without: one line, no step" { too_few v1; }

# each_its_own v2|v1: what the ranks see. With v2 Slurm's program on a task takes none beside it: there the rank has
# the step's rules, with v1 narrower ones.
each_its_own() {
    with "$1" || return
    [[ $(<two.rc) == 0 && $(opened two) == "$(given two)" && $(opened two | uniq | wc -l) == 2 ]]
}

# number RANK: of the device that it was given.
number() { echo "231:$((192 + $(sed -n "s/^rank $1 .*: BERTH_UVERBS=uverbs//p" two)))"; }

@test "v2: beside others each rank has one of its step's, which has no other by Slurm's rules and by Berth's" {
    local i
    each_its_own v2
    for i in 0 1; do
        [[ $(grep '^c 231:' "rules.$i") == "$(printf 'c %s rwm\n' "$(number 0)" "$(number 1)" | sort)" ]]
    done
}

@test "v1: beside others each rank has one of its step's, and no other by Slurm's rules and by Berth's" {
    local i
    each_its_own v1
    for i in 0 1; do [[ $(grep '^c 231:' "rules.$i") == "c $(number $i) rwm" ]]; done
}
