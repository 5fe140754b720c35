# shellcheck shell=bash
# One run: a directory, guests, their output, their end.
#
# $NODE_W           /tmp/berth-node.PID.XXXX: consoles, sockets, fifos
# $NODE_W/share     the guests' /run/node, written by both sides:
#   cmd             what to run, a bash script
#   rc.N            node N's exit code, written when CMD has ended
#   share           --share's mount point; barrier: files of node-barrier

NODE_PIDS=()
NODE_TTY=''     # the terminal's settings before --shell

# node_begin: from here on any end takes all away.
node_begin() {
    node_sweep
    NODE_W=$(mktemp -d "/tmp/berth-node.$$.XXXX")
    trap node_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# node_sweep: directories of runs that were killed with SIGKILL. Their guests died with them.
node_sweep() {
    local dir pid
    for dir in /tmp/berth-node.*; do
        pid=${dir#/tmp/berth-node.}
        pid=${pid%.*}
        [[ ! -d $dir || ! $pid =~ ^[0-9]+$ || -d /proc/$pid ]] || rm -rf --one-file-system "$dir"
    done
}

node_end() {
    local rc=$? pid
    trap '' INT TERM HUP
    step_end
    for pid in "${NODE_PIDS[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    wait
    [[ -z $NODE_TTY ]] || stty "$NODE_TTY"
    if [[ $keep_log == yes ]]; then
        note "the guests' consoles: $NODE_W/console.*"
    else
        rm -rf --one-file-system "$NODE_W"
    fi
    exit "$rc"
}

# node_script CMD...: what the guest runs.
node_script() {
    local v
    for v in BERTH_PREFIX BERTH_PLUGIN BERTH_ARGS BERTH_PLUGSTACK BERTH_TEST_CACHE "${!CLUSTER_@}"; do
        [[ ! -v $v ]] || printf 'export %s=%q\n' "$v" "${!v}"
    done
    printf 'export NODES=%q NODE_CGROUP=%q NODE_IOMMU=%q NODE_VFS=%q\n' "$NODES" "$NODE_CGROUP" "$NODE_IOMMU" "$NODE_VF_COUNT"
    printf 'export NODE_MODULE_DIR=%q NODE_STANDIN=%q\n' "$NODE_KERNEL/lib/modules/$(node_kernel_version)" "$NODE_STANDIN"
    # shellcheck disable=SC2153  # set by tests/node/run
    printf 'NODE_BARE=%q NODE_SYSTEMD=%q NODE_SHELL=%q NODE_CWD=%q\n' "$NODE_BARE" "$NODE_SYSTEMD" "$NODE_SHELL" "$PWD"
    printf 'NODE_CMD=('
    (($# == 0)) || printf '%q ' "$@"
    printf ')\n'
}

# node_boot CMD...: boots, waits; the status is what the run's is to be.
node_boot() {
    local n f rc end
    mkdir -p "$NODE_W/share/barrier"
    if [[ -n $NODE_SHARE ]]; then
        # QEMU resolves the path when it starts; a link serves.
        NODE_SHARE=$(realpath "$NODE_SHARE")
    else
        NODE_SHARE=$NODE_W/share.own
        mkdir "$NODE_SHARE"
    fi
    node_script "$@" >"$NODE_W/share/cmd"
    for ((n = 1; n <= NODES; n++)); do
        for f in out err; do mkfifo "$NODE_W/$f.$n"; done
        node_reader "$NODE_W/out.$n" &
        node_reader "$NODE_W/err.$n" >&2 &
        node_argv "$n"
        if [[ $NODE_SHELL == yes ]]; then
            NODE_TTY=$(stty -g 2>/dev/null)
            setpriv --pdeathsig KILL "${NODE_ARGV[@]}" 2>"$NODE_W/qemu.$n" <&0 &
        else
            setpriv --pdeathsig KILL "${NODE_ARGV[@]}" >"$NODE_W/qemu.$n" 2>&1 </dev/null &
        fi
        NODE_PIDS+=("$!")
    done
    end=$((SECONDS + NODE_TIMEOUT))
    for ((n = 1; n <= NODES; n++)); do
        while kill -0 "${NODE_PIDS[n - 1]}" 2>/dev/null; do
            ((SECONDS < end)) || { warn "no end after $NODE_TIMEOUT s"; node_console; return 124; }
            sleep 0.1
        done
    done
    NODE_PIDS=()
    wait
    for ((n = 1; n <= NODES; n++)); do
        rc=$(cat "$NODE_W/share/rc.$n" 2>/dev/null)
        [[ $rc =~ ^[0-9]+$ ]] || { warn "node $n: ${rc:-ended without a word}"; node_console; return 125; }
        ((rc == 0)) || return "$rc"
    done
}

# node_reader FIFO: what a guest writes. It ends with QEMU; if that was since this run was killed, nobody else is left
# to remove its directory.
node_reader() {
    trap '' INT TERM HUP
    cat "$1"
    [[ -d /proc/$$ && $(cut -d' ' -f3 "/proc/$$/stat" 2>/dev/null) != Z ]] || rm -rf --one-file-system "$NODE_W"
}

# node_console: the end of what the guests' kernels, and QEMU, said.
node_console() {
    local f
    for f in "$NODE_W"/qemu.* "$NODE_W"/console.*; do
        [[ -s $f ]] || continue
        warn "the end of ${f##*/}:"
        tail -n 80 "$f" | tr -d '\r' >&2
    done
}
