#!/usr/bin/env bats
# berth-hwmap tree.

load common


@test "tree: machines" {
    for m in c240 eight-rail single kinds snc cpuless laptop; do
        on "$m" tree
        same "$m.tree"
    done
}

@test "tree: 100 columns at most, whatever is there" {
    for m in c240 many-vfs eight-rail single kinds hostile big; do
        on "$m" tree
        ok
        width_max 100
    done
}

@test "tree: every device is in it once" {
    for m in c240 kinds eight-rail big no-node hostile; do
        on "$m" list --json
        list=$(json 'sorted(str((d["ibdev"], d["pci"], d["netdev"])) for d in j)')
        on "$m" tree --json
        ok
        tree=$(python3 -c '
import json, sys
def devices(n):
    own = [n["device"]] if "device" in n else []
    return own + [d for c in n["children"] for d in devices(c)]
print(sorted(str((d["ibdev"], d["pci"], d["netdev"])) for d in devices(json.load(sys.stdin))))' <<<"$output")
        [[ $tree == "$list" ]]
    done
}

@test "tree: ASCII where the locale has no UTF-8" {
    LC_ALL=C on c240 tree
    ok
    has '|-- package 0'
    LC_ALL=C run grep -c $'[\x80-\xff]' <<<"$output"
    [[ $output == 0 ]]
}

@test "tree: colour on a terminal alone, and not with NO_COLOR" {
    dir=$(machine c240)
    on c240 tree
    hasnt $'\e'
    TERM=xterm run script -qec "$HWMAP tree --sysfs $dir" /dev/null
    has $'\e[1m'
    NO_COLOR=1 TERM=xterm run script -qec "$HWMAP tree --sysfs $dir" /dev/null
    hasnt $'\e'
    TERM=dumb run script -qec "$HWMAP tree --sysfs $dir" /dev/null
    hasnt $'\e'
}

@test "tree: this machine" {
    hwmap tree
    ok
    has 'NUMA node'
}
