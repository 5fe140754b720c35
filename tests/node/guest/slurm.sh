# shellcheck shell=bash
# A Slurm in the guests, made of tests/lib/cluster.sh: its directory has a fixed name, its nodes are the guests.

GUEST=${GUEST:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
# shellcheck source=tests/lib/all.sh
. "$GUEST/../../lib/all.sh"

BERTH_W=/var/lib/berth-node
BERTH_SLOT=1
BERTH_NODES=node1
[[ ${NODES:-1} == 1 ]] || BERTH_NODES='node1 node2'
BERTH_IMAGES=$BERTH_W/images
SLURM_CONF=$BERTH_W/conf/slurm.conf
[[ -f ${BERTH_PREFIX:-}/lib/slurm/berth.so ]] || BERTH_PLUGIN=no
export BERTH_W BERTH_SLOT BERTH_NODES BERTH_IMAGES SLURM_CONF BERTH_PLUGIN
export CLUSTER_CPUS=${CLUSTER_CPUS:-real} CLUSTER_CTLD='node1(10.66.0.1)'
NODE_SLURM=/run/node/slurm      # where node 1 leaves the configuration for node 2

# conf_nodes CPUS PORT...: in place of that of slurm-conf.sh.
conf_nodes() {
    local n i=2 shape="CPUs=$1"
    [[ $1 != "$(nproc)" ]] || shape="CPUs=4 Boards=1 SocketsPerBoard=2 CoresPerSocket=2 ThreadsPerCore=1"
    for n in $BERTH_NODES; do
        echo "NodeName=$n NodeAddr=10.66.0.${n#node} Port=${!i} $shape RealMemory=1500 ${CLUSTER_NODE_EXTRA:-}"
        i=$((i + 1))
    done
}

# slurm_new: the directory.
slurm_new() {
    local d
    # what berth's README asks a node to load; udev would have made loop's device
    modprobe -a loop squashfs erofs fuse
    install -d -m 755 "$BERTH_W"
    mountpoint -q "$BERTH_W" || mount -t tmpfs -o mode=755 tmpfs "$BERTH_W"
    for d in conf log run spool ctld images munge tmp tmpfs; do install -d -m 755 "$BERTH_W/$d"; done
    install -d -m 700 "$BERTH_W/state"
    install -d -m 1777 "$(node_tmp "node$NODE")"
    echo 6817 6818 6819 >"$BERTH_W/ports"
    cluster_env
    users_up
}

# slurm_conf: written on node 1, copied on node 2. Node 2 waits for it by the barrier NAME.
slurm_conf() {
    if [[ $NODE == 1 ]]; then
        conf_write
        [[ -s $BERTH_W/munge/key ]] || head -c 128 /dev/urandom >"$BERTH_W/munge/key"
        if [[ $NODES == 2 ]]; then
            mkdir -p "$NODE_SLURM"
            cp "$BERTH_W"/conf/* "$BERTH_W/munge/key" "$NODE_SLURM/"
        fi
        node-barrier "$1"
    else
        node-barrier "$1"
        cp "$NODE_SLURM"/*.conf "$BERTH_W/conf/"
        cp "$NODE_SLURM/key" "$BERTH_W/munge/key"
    fi
}

# slurm_start: this node's daemons; returns when all nodes are idle.
slurm_start() {
    [[ $NODE != 1 ]] || daemon slurmctld -f "$SLURM_CONF"
    slurmd_start "node$NODE"
    wait_until 60 nodes_are idle && return 0
    warn "the nodes did not become idle:"
    timeout 10 sinfo -N -o '%N %T %E' >&2
    tail -n 15 "$BERTH_W"/log/*.log >&2
    return 1
}

slurm_stop() {
    local names=("slurmd.node$NODE")
    [[ $NODE != 1 ]] || names+=(slurmctld)
    daemon_stop "${names[@]}"
}
