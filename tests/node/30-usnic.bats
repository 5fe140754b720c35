#!/usr/bin/env bats
# --usnic on nodes that have NICs, with cgroup v2 and v1: who gets which device, what else can be opened, and that all is
# given back however a step ends. Real kernels, uverbs nodes and VFs; see README.md for what is emulated.

bats_require_minimum_version 1.5.0
load common

setup_file() {
    node_slurm_ready || return 0
    "$NODE_DIR/../images/build" rdma.sqsh mpi.sqsh >&2
    node_boot v2 --nodes 2 --timeout 2400 bash "$NODE_DIR/inside/30-usnic"
    node_boot v1 --nodes 2 --cgroup v1 --timeout 600 env USNIC_ENDS=no bash "$NODE_DIR/inside/30-usnic"
}

setup() { node_needed; }

# with v2|v1: the facts of that boot.
with() {
    [[ $(node_rc "$1") == 0 ]] || return
    cd "$(node_dir "$1")" || return
}

# rank FILE RANK NODE PATTERN COUNT: so many lines of what that rank saw match.
rank() {
    [[ $(grep -cE "^rank $2 on $3: $4\$" "$1") == "$5" ]] || { cat "$1" "$1.err" >&2; return 1; }
}

# sees FILE RANK NODE CPUS NUMA PATTERN UVERBS: that rank has one device, with that name, and opens no other.
sees() {
    rank "$1" "$2" "$3" "cpus $4" 1 &&
        rank "$1" "$2" "$3" "BERTH_NUMA=$5" 1 &&
        rank "$1" "$2" "$3" "BERTH_IBDEV=$6" 1 &&
        rank "$1" "$2" "$3" "BERTH_DEVICES=/dev/infiniband/$7" 1 &&
        rank "$1" "$2" "$3" "node uverbs[0-9]+ berthalice 600" 1 &&
        rank "$1" "$2" "$3" "$7 open" 1 &&
        rank "$1" "$2" "$3" "uverbs[0-9]+ open" 1
}

# rules FILE DEVICE: the rules are those of a step that was given that device: it, no other RDMA device, and what Slurm
# leaves.
rules() {
    cat "$1" >&2
    [[ $(grep -c '^c 231:' "$1") == 1 ]] && grep -qx "c $2 rwm" "$1"
}

# freed NAME: after that end nothing was left.
freed() {
    [[ -f $1.left && ! -s $1.left ]] || { cat "$1.left" "$1.out" >&2; return 1; }
}

each_has_its_own() {
    with "$1" || return
    sees usnic 0 node1 0,1 0 usnic_1 uverbs1 && sees usnic 1 node1 2,3 1 usnic_0 uverbs0 || return
    sees rxe 0 node1 0,1 0 rxe_enp65s0f0v0 uverbs2 && sees rxe 1 node1 2,3 1 rxe_enp17s0f0v0 uverbs4 || return
    # rdma-core has a provider for it, and shows the rank's own alone
    rank rxe 0 node1 "verbs rxe_enp65s0f0v0" 1 && rank rxe . node1 "verbs .*" 2 || return
    grep -q 'rank 0: usnic_1 .*distance 10: same NUMA node 0' usnic.err && rank usnic 0 node1 "memlock unlimited" 1
}

@test "v2: the rank on package 0 has the NIC below NUMA node 0 alone, the other one the other" { each_has_its_own v2; }
@test "v1: the rank on package 0 has the NIC below NUMA node 0 alone, the other one the other" { each_has_its_own v1; }

without_an_image() {
    with "$1" || return
    sees bare 0 node1 0,1 0 rxe_enp65s0f0v0 uverbs2 && sees bare 1 node1 2,3 1 rxe_enp17s0f0v0 uverbs4
}

@test "v2: the same without an image" { without_an_image v2; }
@test "v1: the same without an image" { without_an_image v1; }

on_two_nodes() {
    local n
    with "$1" || return
    for n in 1 2; do
        sees both "$((2 * n - 2))" "node$n" 0,1 0 rxe_enp65s0f0v0 uverbs2 &&
            sees both "$((2 * n - 1))" "node$n" 2,3 1 rxe_enp17s0f0v0 uverbs4 || return
    done
}

@test "v2: the same on two nodes" { on_two_nodes v2; }
@test "v1: the same on two nodes" { on_two_nodes v1; }

what_cannot_be() {
    with "$1" || return
    cat many.err >&2
    [[ $(<many.rc) != 0 && $(grep -c 'berth: ' many.err) == 1 ]] && grep -q -- --usnic many.err || return
    # nobody asked: no node in the image's /dev
    [[ ! -s none ]]
}

@test "v2: more VFs than there are is one line; none is none" { what_cannot_be v2; }
@test "v1: more VFs than there are is one line; none is none" { what_cannot_be v1; }

mpi_over_verbs() {
    with "$1" || return
    cat mpi mpi.err >&2
    [[ $(<mpi.rc) == 0 && $(grep -cE '^(8|4096) [0-9.]+$' mpi) == 2 ]] || return
    # the device that libfabric chose, on each node
    [[ $(sed -n 's/^\[\(node.\):.*mtl:ofi:provider: /\1 /p' mpi.err | sort) == $'node1 rxe_enp65s0f0v0\nnode2 rxe_enp65s0f0v0' ]]
}

@test "v2: MPI over verbs between two containers on two nodes" { mpi_over_verbs v2; }
@test "v1: MPI over verbs between two containers on two nodes" { mpi_over_verbs v1; }

providers() {
    with "$1" || return
    cat no-provider.err old-provider.err other-provider.err >&2
    [[ $(<no-provider.rc) != 0 && $(<old-provider.rc) != 0 && $(<other-provider.rc) != 0 ]] || return
    [[ $(grep -c 'berth: .*no provider for rxe_.*librxe-rdmav34.so' other-provider.err) == 1 ]] || return
    [[ $(grep -c 'berth: .*no provider for it' no-provider.err) == 1 ]] || return
    [[ $(grep -c 'berth: .*only providers of another ABI.*-rdmav34.so' old-provider.err) == 1 ]]
}

@test "v2: an image without providers, or with those of another ABI or NIC, is said before the task runs" { providers v2; }
@test "v1: an image without providers, or with those of another ABI or NIC, is said before the task runs" { providers v1; }

rules_in_force() {
    with "$1" || return
    rules others.0 231:193 && rules others.1 231:192 && rules strict.0 231:194 && rules strict.1 231:196 || return
    # both leave the connection manager; confine=usnic other devices as Slurm has them; strict has a short list
    grep -qx "c 10:$(xargs <cm.1) rwm" others.0 && grep -qx 'c 1:11 rwm' others.0 && grep -qx 'c 226:0 rwm' others.0 || return
    [[ $(grep -v '^c 231:' strict.0 | sort) == "$(printf 'c %s rwm\n' "10:$(xargs <cm.1)" 10:229 1:3 1:5 1:7 1:8 1:9 5:0 5:2 | sort)" ]]
}

@test "v2: the rules in force have the rank's own device, and no other RDMA device" { rules_in_force v2; }
@test "v1: the rules in force have the rank's own device, and no other RDMA device" { rules_in_force v1; }

leased() {
    with "$1" || return
    [[ $(<others.leases) == $'usnic_0@0000:11:00.0#0\nusnic_1@0000:41:00.0#0' ]] || return
    # the pooled device has a second VF for somebody else
    cat second second.err >&2
    [[ $(sort second) == $'usnic_0\nusnic_1' ]] && freed freely && [[ $(<freely.rc) == 0 ]]
}

@test "v2: leases while it runs, none afterwards; two steps share a usNIC by its VFs" { leased v2; }
@test "v1: leases while it runs, none afterwards; two steps share a usNIC by its VFs" { leased v1; }

open_elsewhere() {
    with "$1" || return
    cat served.*.err kept.*.err >&2
    [[ $(<served.1.rc) == 0 && $(<served.2.rc) == 0 ]] || return
    [[ $(<kept.1.rc) == 0 && $(<kept.2.rc) != 0 && $(<kept.3.rc) == 0 ]]
}

@test "v2: a VF that another user has open is given out again; one that the step's user has open is not" { open_elsewhere v2; }
@test "v1: a VF that another user has open is given out again; one that the step's user has open is not" { open_elsewhere v1; }

cancelled() {
    with "$1" || return
    [[ $(<scancel.rc) != 0 ]] && freed scancel
}

@test "v2: scancel gives everything back" { cancelled v2; }
@test "v1: scancel gives everything back" { cancelled v1; }

# On v1 tests/cluster/70-usnic*.bats do the rest.

@test "the time limit gives everything back" {
    with v2
    cat timed.job timed.next >&2
    grep -q JobState=TIMEOUT timed.job
    # all four VFs of the node's usNICs are free again
    [[ $(<timed.rc) == 0 ]]
}

@test "SIGKILL of the helper: slurmstepd holds the lease as well" {
    with v2
    [[ $(wc -l <helper.leases) == 2 ]]
    freed helper
}

@test "SIGKILL of slurmstepd" {
    with v2
    freed stepd
}

@test "SIGKILL of both: the tasks live on, and keep their VFs as long as they do" {
    with v2
    cat both.kept.err both.free.err >&2
    [[ -s both.tasks && $(<both.kept.rc) != 0 && $(<both.free.rc) == 0 ]]
    freed both
}

@test "slurmd is restarted while a step runs" {
    with v2
    cat restart.out >&2
    [[ $(<restart.rc) == 0 ]]
    freed restart
}

@test "200 steps in a row take all VFs each time" {
    with v2
    cat row.err >&2
    [[ $(<row.count) == 200 ]]
    freed row
    run ! grep -E 'BUG|Oops|segfault|general protection' kernel.1.log kernel.2.log
}
