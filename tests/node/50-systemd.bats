#!/usr/bin/env bats
# Row 33 with a real systemd as PID 1: what it does to cgroups leaves the rules of a step with --usnic in force.

bats_require_minimum_version 1.5.0
load common

setup_file() {
    local v
    node_slurm_ready || return 0
    if [[ ! -x /lib/systemd/systemd || ! -x /usr/bin/dbus-daemon ]]; then
        echo "no systemd, or no dbus-daemon, on this host" >"$BATS_FILE_TMPDIR/skip"
    else
        "$NODE_DIR/../images/build" rdma.sqsh >&2
        for v in v2 v1; do
            node_boot "$v" --bare --systemd --cgroup "$v" --timeout 600 bash "$NODE_DIR/inside/50-systemd"
        done
    fi
}

setup() { node_needed; }

# with v2|v1: the facts of that boot.
with() {
    [[ $(node_rc "$1") == 0 ]] || return
    cd "$(node_dir "$1")" || return
    tail -v -n 20 cgroup rules.*.0 err >&2
}

# each task may open its own node of four, and still after WHEN
kept() {
    local i
    with "$1" || return
    for i in 0 1; do
        [[ $(grep -c '^c 231:19[2-9] rwm\{0,1\}$' "rules.before.$i") == 1 ]] || return
        cmp "rules.before.$i" "rules.$2.$i" || return
    done
    ! cmp -s rules.before.0 rules.before.1 || return
    [[ $(<"$2.rc") == 0 ]]
}

@test "row 33: v2: daemon-reload" { kept v2 reload; }
@test "row 33: v2: daemon-reexec" { kept v2 reexec; }
@test "row 33: v2: slurmd restarted as a service" { kept v2 restart; }
@test "row 33: v2: a device property of slurmd's service" { kept v2 property; }
@test "row 33: v1: daemon-reload" { kept v1 reload; }
@test "row 33: v1: daemon-reexec" { kept v1 reexec; }
@test "row 33: v1: slurmd restarted as a service" { kept v1 restart; }
@test "row 33: v1: a device property of slurmd's service" { kept v1 property; }

@test "v2: systemd knows the scope that the step is in, and has delegated it" {
    with v2
    cat scope >&2
    [[ $(sort scope) == $'ActiveState=active\nDelegate=yes' ]]
}

ends() {
    with "$1" || return
    cat out err leases nodes >&2
    [[ $(<rc.step) == 0 && $(grep -c uverbs out) == 2 && $(<nodes) == 'node1 idle none' ]] || return
    [[ -z $(awk 'NR > 1 && $2 != $3' leases) ]]
}

@test "v2: the step ends well, its leases are free" { ends v2; }
@test "v1: the step ends well, its leases are free" { ends v1; }
