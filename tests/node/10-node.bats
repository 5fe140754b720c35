#!/usr/bin/env bats
# The virtual node itself: what the tests after this one build on.

# shellcheck disable=SC2016  # for the guest's shell
bats_require_minimum_version 1.5.0
load common

setup_file() {
    node_ready || return 0
    node_boot one bash "$NODE_DIR/inside/10-one"
    node_boot two --nodes 2 bash "$NODE_DIR/inside/10-two"
    node_boot v1 --cgroup v1 bash -c 'cd "$NODE_SHARE"; node-nics >nics
        node-slurm up && node-as alice srun -n2 sh -c "cat /proc/self/cgroup; id -un"'
    node_boot iommu --iommu bash -c 'node-vfio 0 1 && ls -l /dev/vfio '
}

setup() { node_needed; }

# nic FILE NUMA FUNCTION FIELD: a field of node-nics's line.
nic() { awk -v n="$2" -v f="$3" -v k="$4" '$1 == n && $2 == f { print $k }' "$1"; }

# nics COUNT FILE PATTERN
nics() { [[ $(grep -cE "$3" "$2") == "$1" ]]; }

@test "output, errors and exit code of CMD pass through" {
    [[ $(node_rc one) == 7 ]]
    [[ $(cat "$(node_dir one)/out") == "to standard output" ]]
    grep -qx "to standard error" "$(node_dir one)/err"
    run ! grep -q "to standard output" "$(node_dir one)/err"
}

@test "two packages and two NUMA nodes with two CPUs each" {
    run -0 cat "$(node_dir one)/cpus"
    [[ $output == $'0,0,0\n1,0,0\n2,1,1\n3,1,1' ]]
}

@test "a PF below each NUMA node, with numbers not in the NUMA nodes' order" {
    cd "$(node_dir one)"
    [[ $(nic nics 0 pf 3) == 0000:41:00.0 && $(nic nics 1 pf 3) == 0000:11:00.0 ]]
    [[ $(nic nics 0 pf 6) == usnic_1 && $(nic nics 1 pf 6) == usnic_0 ]]
    # hwloc sees the same
    awk '/NUMANode L#/ { numa = $2 } /usnic_/ { print numa, $NF }' lstopo >numa
    [[ $(cat numa) == $'L#0 "usnic_1"\nL#1 "usnic_0"' ]]
}

@test "two VFs on each PF have netdev, carrier and soft-RoCE" {
    cd "$(node_dir one)"
    nics 4 nics '^[01] vf[01] 0000:(11|41):00\.[12] enp(17|65)s0f0v[01] 1 rxe_enp'
    [[ $(grep -c 'rxe_.* state ACTIVE physical_state LINK_UP' rdma.links) == 4 ]]
}

@test "VFs come and go" {
    cd "$(node_dir one)"
    nics 8 nics4 '^[01] vf[0-3] .* enp[0-9]+s0f0v[0-3] 1 '
    nics 2 nics0 '^[01] pf '
    run ! grep -q vf nics0
}

@test "uverbs nodes are character devices from 231:192 upward" {
    cd "$(node_dir one)"
    local i
    for i in 0 1 2 3 4 5; do grep -qE "^crw-rw-rw- .* 231, $((192 + i)) .* uverbs$i\$" uverbs; done
    [[ $(nic nics 1 pf 7) == uverbs0 && $(nic nics 1 pf 8) == 231:192 ]]
    [[ $(nic nics 0 pf 7) == uverbs1 && $(nic nics 0 pf 8) == 231:193 ]]
}

@test "the stand-in has the sysfs of the usNIC driver" {
    cd "$(node_dir one)"
    cat usnic >&2
    grep -qx 'usnic_0 iface enp17s0f0' usnic
    grep -qx 'usnic_1 iface enp65s0f0' usnic
    grep -qx 'usnic_1 max_vf 2' usnic
    grep -qx 'usnic_1 qp_per_vf 6' usnic
    grep -qx 'usnic_1 cq_per_vf 6' usnic
    grep -qx 'usnic_1 config usnic_1: 41:0.0, enp65s0f0, 02:be:72:01:00:00, 2 VFs' usnic
    grep -qx 'usnic_1 config  Per VF: 6 WQ, 6 RQ, 6 CQ, 6 INT' usnic
    grep -qx 'usnic_1 node_type 6: usNIC UDP' usnic
    grep -qx 'usnic_1 ports/1/state 4: ACTIVE' usnic
    grep -qE 'usnic_1 board_id [0-9]+' usnic
    grep -qx 'usnic_1 qpn' usnic
    grep -q 'usnic_1/1 state ACTIVE physical_state LINK_UP netdev enp65s0f0' rdma.links
}

@test "a context and queue pairs in use are seen, and VFs run out" {
    cd "$(node_dir one)"
    grep -qE ': usnic_1: pd 1 cq 1 qp 3 .*ctx 1' used
    grep -qE ': usnic_1: pd 0 cq 0 qp 0 .*ctx 0' unused
    [[ $(grep -cE '^QPN: [0-9]+ State: \(Rst\) PID: [0-9]+ VF Idx: 0 WQ\[[0-2]\] ' summary) == 3 ]]
    grep -qE '^0x[0-9a-f]+$' context
    # seven take a second VF, thirteen a third, which is not there
    [[ $(grep -c 'VF Idx: 0' summary7) == 6 && $(grep -c 'VF Idx: 1' summary7) == 1 ]]
    grep -q 'queue pair: Cannot allocate memory' hold13
    [[ $(tail -n 1 hold13) == 1 ]]
}

@test "Slurm inside, cgroup v2" {
    cd "$(node_dir one)"
    cat slurm srun.root srun.alice >&2
    grep -q '^uid=0(root)' srun.root
    [[ $(grep -cx berthalice srun.alice) == 2 ]]
    [[ $(grep -cE '^0::/system.slice/node1_slurmstepd.scope/job_2/step_0/user/task_[01]$' srun.alice) == 2 ]]
    # tasks are bound, by default, to a CPU each
    [[ $(grep -cE '^Cpus_allowed_list:[[:space:]][0-3]$' srun.alice) == 2 ]]
}

@test "a step in a container, with the build" {
    cd "$(node_dir one)"
    [[ -f container ]] || skip "no build in BERTH_PREFIX, or no image"
    cat container >&2
    [[ $(tail -n 1 container) == 0 ]]
    grep -q ' / / .* - squashfs ' container || grep -q ' - overlay ' container
}

@test "two nodes: RDMA ping-pong between VFs on both NUMA nodes" {
    cd "$(node_dir two)"
    [[ $(node_rc two) == 0 ]]
    local rail n
    for rail in 0 1; do
        for n in 1 2; do
            cat "pingpong.$rail.$n" >&2
            grep -q '100 iters in' "pingpong.$rail.$n"
            grep -qx 'exit code 0' "pingpong.$rail.$n"
            grep -qx 'exit code 0' "lat.$rail.$n"
        done
        # over the rail's own network: the addresses are those of the VFs there
        grep -q "local address: .*GID ::ffff:10.67.$rail.17" "pingpong.$rail.1"
        grep -q "remote address: .*GID ::ffff:10.67.$rail.33" "pingpong.$rail.1"
    done
}

@test "two nodes: one Slurm, a step on both" {
    cd "$(node_dir two)"
    cat slurm.1 slurm.2 srun.both >&2
    [[ $(cut -d' ' -f1 srun.both | sort | uniq -c | awk '{ print $2 }' | tr '\n' ' ') == "node1 node2 " ]]
    [[ $(wc -l <srun.both) == 4 ]]
    [[ $(grep -c berthalice srun.both) == 4 ]]
}

@test "cgroup v1: a step is in the controllers that Slurm uses" {
    [[ $(node_rc v1) == 0 ]]
    run -0 cat "$(node_dir v1)/out"
    local c
    for c in freezer devices memory cpuset; do
        [[ $output =~ $c:/slurm_node1/uid_[0-9]+/job_1/step_0 ]]
    done
    [[ $(grep -cx berthalice "$(node_dir v1)/out") == 2 ]]
    nics 4 "$(node_dir v1)/nics" '^[01] vf[01] .* 1 rxe_enp'
}

@test "--iommu: a VF goes to vfio-pci, and its group appears" {
    [[ $(node_rc iommu) == 0 ]]
    run -0 cat "$(node_dir iommu)/out"
    [[ ${lines[0]} =~ ^0000:41:00\.2\ /dev/vfio/([0-9]+)$ ]]
    grep -qE "^crw.* ${BASH_REMATCH[1]}\$" "$(node_dir iommu)/out"
}

@test "a trivial CMD costs less than a minute, of CPU time, for a busy machine has its own clock" {
    node_boot true true
    [[ $(node_rc true) == 0 ]]
    run -0 cat "$(node_dir true)/cpu"
    echo "# seconds of CPU time, user and system: $output" >&3
    awk '{ exit !($1 + $2 < 60) }' "$(node_dir true)/cpu"
}

@test "a CMD that hangs is ended by --timeout" {
    node_boot hang --bare --timeout 30 sh -c 'echo begun; sleep 1000'
    [[ $(node_rc hang) == 124 ]]
    [[ $(cat "$(node_dir hang)/out") == begun ]]
    grep -q 'no end after 30 s' "$(node_dir hang)/err"
}

@test "a panic of the guest ends the run, and is shown" {
    node_boot panic --bare sh -c 'echo c >/proc/sysrq-trigger; sleep 1000'
    [[ $(node_rc panic) == 125 ]]
    grep -q 'Kernel panic' "$(node_dir panic)/err"
}

@test "nothing is left, killed or not" {
    local name signal pid
    for name in one two v1 iommu true hang panic; do
        [[ ! -f $(node_dir "$name")/pid ]] || node_gone "$(cat "$(node_dir "$name")/pid")"
    done
    for signal in TERM KILL; do
        "$NODE_DIR/run" --bare --nodes 2 sleep 1000 >/dev/null 2>&1 3>&- &
        pid=$!
        for ((i = 0; i < 100; i++)); do
            [[ $(node_left "$pid" | grep -c /proc/) -ge 2 ]] && break
            sleep 0.1
        done
        [[ $(node_left "$pid" | grep -c /proc/) -ge 2 ]]
        kill -"$signal" "$pid"
        wait "$pid" || true
        node_gone "$pid"
    done
}
