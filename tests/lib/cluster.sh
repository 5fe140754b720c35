# shellcheck shell=bash
# A private Slurm on this host: munged, slurmctld and N slurmd, all below one directory of their own.
#
#   cluster_up [N]      = cluster_new [N], then cluster_start: makes it (N nodes, default 2), starts it;
#                       exports BERTH_W, BERTH_NODES, SLURM_CONF ...
#   cluster_restart     writes the configuration again from the knobs (slurm-conf.sh) and restarts the Slurm daemons
#   cluster_down        ends it and removes all it made
#   plugstack_write     writes plugstack.conf alone (read by every new step; no restart needed)
#
# The directory is not in /tmp: berth trusts an image only where no parent is writable by others, and
# job_container/tmpfs hides the host's /tmp from jobs.
# Another shell joins with `. $BERTH_W/env` and the files of tests/lib.

BERTH_BASE=${BERTH_BASE:-/var/lib}
BERTH_RUN=${BERTH_RUN:-/run/berth-test}

# slot_lives LINK: the slot is taken. Its work directory cannot be looked at from another root (BERTH_FOREIGN_ROOT=yes).
slot_lives() { [[ -L $1 && (-d $1 || ${BERTH_FOREIGN_ROOT:-no} == yes) ]]; }

# slot_take: a number of our own, so that two clusters on one machine have different node names and so
# different cgroups. A slot is a symlink to the work directory; it is free again when that is gone.
slot_take() {
    local i link
    install -d -m 755 "$BERTH_RUN"
    for i in 1 2 3 4 5 6 7 8 9; do
        link=$BERTH_RUN/slot$i
        slot_lives "$link" || rm -f "$link"
        if ln -sT "$BERTH_W" "$link" 2>/dev/null; then
            BERTH_SLOT=$i
            return 0
        fi
    done
    die "nine test clusters on this machine already; see $BERTH_RUN"
}

# slots_used: how many clusters live on this machine.
slots_used() {
    local link n=0
    for link in "$BERTH_RUN"/slot*; do slot_lives "$link" && n=$((n + 1)); done
    echo "$n"
}

# cluster_names N: bn1 bn2 ... for the first slot, b2n1 b2n2 ... for the second.
cluster_names() {
    local i names=() p=b
    [[ $BERTH_SLOT == 1 ]] || p=b$BERTH_SLOT
    for ((i = 1; i <= $1; i++)); do names+=("${p}n$i"); done
    echo "${names[*]}"
}

# pid_of NAME: pid from $BERTH_W/run/NAME.pid (munged's too), if that process is really ours.
pid_of() {
    local pid
    pid=$(cat "$BERTH_W/run/$1.pid" 2>/dev/null) || return 1
    [[ -n $pid ]] && pid_is_ours "$pid" && echo "$pid"
}

# pid_is_ours PID: its command line or its environment names our work directory.
pid_is_ours() {
    grep -qszF "$BERTH_W" "/proc/$1/cmdline" "/proc/$1/environ"
}

# daemon CMD...: starts a daemon that detaches itself; no descriptor of ours stays open in it (bats waits for those), and
# no signal is ignored: what a shell runs in the background ignores ^C, and on 26.05 so would the tasks.
daemon() {
    (
        local fd
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            ((fd > 2 && fd < 250)) && eval "exec $fd>&-"
        done
        cd /
        exec env -i --default-signal PATH="$(slurm_path)" SLURM_CONF="$SLURM_CONF" LANG=C "$@" </dev/null >>"$BERTH_W/log/start.log" 2>&1
    )
}

munge_start() {
    local m=$BERTH_W/munge
    [[ -s $m/key ]] || head -c 128 /dev/urandom >"$m/key"
    chmod 600 "$m/key"
    daemon munged --socket="$m/socket" --key-file="$m/key" --pid-file="$BERTH_W/run/munged.pid" \
        --log-file="$BERTH_W/log/munged.log" --seed-file="$m/seed" --num-threads=2
    wait_until 10 test -S "$m/socket" || die "munged did not start: $(tail -n 5 "$BERTH_W/log/munged.log")"
}

# slurmd_start NODE: with the node's name as its host name, in a UTS namespace. Open MPI names its segments in
# /dev/shm after the host and the rank on it, so two nodes of one name would take each other's.
slurmd_start() {
    # shellcheck disable=SC2016  # for the inner shell
    daemon unshare --uts sh -c 'echo "$1" >/proc/sys/kernel/hostname && exec slurmd -N "$1" -f "$SLURM_CONF"' sh "$1"
}

# daemons_run: all have written their pids. (A slurmctld that starts again takes its nodes for idle at once.)
daemons_run() {
    local name
    while read -r name; do pid_of "$name" >/dev/null || return 1; done < <(slurm_names)
}

# daemons_start: slurmctld and every slurmd; returns when all run and all nodes are idle.
daemons_start() {
    local n
    daemon slurmctld -f "$SLURM_CONF"
    for n in $BERTH_NODES; do slurmd_start "$n"; done
    wait_until 10 daemons_run && wait_until 30 nodes_are idle && return 0
    warn "the nodes did not become idle:"
    sinfo -N -o '%N %T %E' >&2
    tail -n 15 "$BERTH_W"/log/*.log >&2
    return 1
}

# nodes_are STATE: every node is in that state (sinfo's long name), without a flag such as '*'.
nodes_are() {
    local got
    got=$(timeout 5 sinfo -h -N -o %T 2>/dev/null | sort -u)
    [[ $got == "$1" ]]
}

# daemon_stop NAME...: ends by pid, TERM first, KILL after 10 seconds.
daemon_stop() {
    local name pid pids=()
    for name; do
        pid=$(pid_of "$name") || continue
        kill -TERM "$pid" 2>/dev/null && pids+=("$pid")
    done
    for pid in "${pids[@]}"; do
        wait_until 10 pid_gone "$pid" && continue
        kill -KILL "$pid" 2>/dev/null
        wait_until 5 pid_gone "$pid" || warn "process $pid does not end"
    done
}

pid_gone() { [[ ! -d /proc/$1 || $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) == Z ]]; }

slurm_names() {
    local n
    echo slurmctld
    for n in $BERTH_NODES; do echo "slurmd.$n"; done
}

# cluster_env: the file by which another shell joins this cluster.
cluster_env() {
    local v
    for v in BERTH_W BERTH_SLOT BERTH_NODES BERTH_PREFIX BERTH_IMAGES SLURM_CONF; do
        printf 'export %s=%q\n' "$v" "${!v:-}"
    done | file_put "$BERTH_W/env"
}

# cluster_new [N]: the directory, the names, the ports, the users; nothing runs yet.
cluster_new() {
    local n=${1:-2} d
    need_root
    BERTH_W=$(mktemp -d "$BERTH_BASE/berth-test.XXXXXX")
    chmod 755 "$BERTH_W"
    slot_take
    for d in conf log run spool ctld images munge tmp tmpfs; do install -d -m 755 "$BERTH_W/$d"; done
    install -d -m 700 "$BERTH_W/state"
    BERTH_NODES=$(cluster_names "$n")
    for d in $BERTH_NODES; do install -d -m 1777 "$(node_tmp "$d")"; done
    BERTH_PREFIX=${BERTH_PREFIX:-$BERTH_W/inst}
    BERTH_IMAGES=$BERTH_W/images
    SLURM_CONF=$BERTH_W/conf/slurm.conf
    export BERTH_W BERTH_SLOT BERTH_NODES BERTH_PREFIX BERTH_IMAGES SLURM_CONF
    ports_pick $((n + 1)) >"$BERTH_W/ports"
    cluster_env
    users_up
}

cluster_start() {
    conf_write
    munge_start
    daemons_start
}

cluster_up() { cluster_new "$@" && cluster_start; }

cluster_restart() {
    local names
    mapfile -t names < <(slurm_names)
    daemon_stop "${names[@]}"
    conf_write
    daemons_start
}

plugstack_write() { conf_plugstack | file_put "$BERTH_W/conf/plugstack.conf"; }

# cgroup_dirs: the cgroup directories Slurm made for our nodes, deepest first.
cgroup_dirs() {
    local n
    for n in $BERTH_NODES; do
        find /sys/fs/cgroup -depth -type d \( -path "*/slurm_$n" -o -path "*/slurm_$n/*" \
            -o -path "*/${n}_slurmstepd.scope" -o -path "*/${n}_slurmstepd.scope/*" \) 2>/dev/null
    done
}

# leftovers_kill: whatever of our cluster still runs: in its cgroups, or with its SLURM_CONF.
leftovers_kill() {
    local pid dir f
    while read -r dir; do
        if [[ -f $dir/freezer.state ]]; then echo THAWED >"$dir/freezer.state"; fi
        while read -r pid; do kill -KILL "$pid" 2>/dev/null; done <"$dir/cgroup.procs"
    done < <(cgroup_dirs)
    for f in /proc/[0-9]*/environ; do
        grep -qszFx "SLURM_CONF=$SLURM_CONF" "$f" || continue
        pid=${f#/proc/}
        pid=${pid%/environ}
        [[ $pid == "$$" || $pid == "$BASHPID" || $pid == "$PPID" ]] || is_ancestor "$pid" || kill -KILL "$pid" 2>/dev/null
    done
}

# is_ancestor PID: PID is this shell or one of its parents.
is_ancestor() {
    local p=$BASHPID
    while ((p > 1)); do
        [[ $p == "$1" ]] && return 0
        p=$(awk '/^PPid:/ { print $2 }' "/proc/$p/status" 2>/dev/null) || return 1
        [[ -n $p ]] || return 1
    done
    return 1
}

cgroups_gone() {
    local dir left=0
    while read -r dir; do rmdir "$dir" 2>/dev/null || left=1; done < <(cgroup_dirs)
    ((left == 0))
}

no_jobs() { [[ -z $(timeout 5 squeue -h 2>/dev/null) ]]; }

cluster_down() {
    local names m
    [[ -n ${BERTH_W:-} && -d $BERTH_W ]] || return 0
    if pid_of slurmctld >/dev/null && ! no_jobs; then
        timeout 10 scancel -s KILL --state=RUNNING --nodelist="${BERTH_NODES// /,}" 2>/dev/null
        timeout 10 scancel --nodelist="${BERTH_NODES// /,}" 2>/dev/null
        timeout 10 scancel --user="$(id -un)" 2>/dev/null
        wait_until 10 no_jobs || warn "jobs are left: $(squeue -h)"
    fi
    mapfile -t names < <(slurm_names)
    daemon_stop "${names[@]}" munged
    leftovers_kill
    wait_until 5 cgroups_gone || warn "cgroups are left: $(cgroup_dirs | tr '\n' ' ')"
    while read -r m; do umount -l "$m"; done < <(awk -v w="$BERTH_W/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
    for m in $BERTH_NODES; do rm -rf --one-file-system "$(node_tmp "$m")"; done
    rm -rf --one-file-system "$BERTH_W"
    [[ $(readlink "$BERTH_RUN/slot$BERTH_SLOT") != "$BERTH_W" ]] || rm -f "$BERTH_RUN/slot$BERTH_SLOT"
    if (($(slots_used) == 0)); then
        users_down
        rmdir "$BERTH_RUN" 2>/dev/null || true
    fi
    unset BERTH_W SLURM_CONF
}
