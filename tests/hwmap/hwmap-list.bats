#!/usr/bin/env bats
# berth-hwmap list and pick.

load common

@test "list is what is done without a verb" {
    on c240
    same c240.list
    plain=$output
    on c240 list
    [[ $output == "$plain" ]]
}

@test "list --json: c240" {
    on c240 list --json
    same c240.list.json
}

@test "list --json: VFs with and without ibdev, VFIO, soft-RoCE" {
    on kinds list --json
    same kinds.list.json
}

@test "list --json has all columns, null where there is nothing" {
    on kinds list --json
    ok
    run json '[k for k in "ibdev uverbs dev netdev pci numa cpus driver vfs_total vfs_free state".split() for d in j if k not in d]'
    [[ $output == "[]" ]]
    on kinds list --json
    run json 'sorted({d["ibdev"] for d in j if d["role"] == "vf" and d["driver"] == "igbvf"}, key=str), {type(d["numa"]) for d in j}'
    [[ $output == "([None], {<class 'int'>})" ]]
}

@test "a node without NICs: an empty array, and titles alone" {
    on laptop list --json
    ok
    [[ $(json j) == "[]" ]]
    on laptop
    ok
    [[ ${#lines[@]} == 1 ]]
}

@test "this machine" {
    hwmap list --json
    ok
    json j
}

@test "a NUMA node that the kernel does not know is -1, CPUs then null" {
    on no-node list --json
    ok
    [[ $(json '[(d["numa"], d["cpus"]) for d in j][0]') == "(-1, None)" ]]
}

@test "slots in use are not free" {
    on c240 list --json
    [[ $(json '[(d["vfs_total"], d["busy"], d["vfs_free"]) for d in j][1]') == "(64, 2, 62)" ]]
}

@test "--output chooses columns and their order, + adds" {
    on c240 --output dev,ibdev
    ok
    [[ ${lines[0]} == "DEV      IBDEV" && ${lines[1]} == "231:192  usnic_0" ]]
    on c240 --output +dev,busy
    ok
    [[ ${lines[0]} == IBDEV*CPUS*DEV*BUSY ]]
    on c240 --json --output ibdev
    ok
    [[ $(json 'j[0]') == "{'ibdev': 'usnic_0'}" ]]
}

@test "the usual columns of every machine fit 100" {
    for m in c240 many-vfs eight-rail single; do
        on "$m"
        ok
        width_max 100
    done
}

@test "what is hostile is filtered, noted on request, and the rest is there" {
    on hostile list
    ok
    has usnic_1
    on hostile list --notes
    ((status == 0))
    [[ $stderr == *'not a kernel'* ]]
    LC_ALL=C run grep -c $'[\x01-\x08\x0b-\x1f\x7f]' <<<"$output$stderr"
    [[ $output == 0 ]]
}

@test "notes are counted on a terminal alone, and not with --quiet" {
    dir=$(machine hostile)
    run script -qec "$HWMAP --sysfs $dir --output ibdev" /dev/null
    [[ $output == *"notes on what was missing or odd; --notes shows them"* ]]
    run script -qec "$HWMAP --sysfs $dir --output ibdev --quiet" /dev/null
    [[ $output != *notes* ]]
}

@test "pick --json: four ranks on c240" {
    on c240 pick --cpus 0-3 --cpus 4-7 --cpus 8-11 --cpus 12-15 --json
    same c240.pick.json
}

@test "pick: a rank gets what is nearest, and several devices of different NICs" {
    on c240 pick --cpus 8-15 --count 2 --json
    ok
    [[ $(json '[d["ibdev"] for d in j[0]["devices"]], j[0]["distance"]') == "(['usnic_2', 'usnic_3'], 10)" ]]
}

@test "pick: any and an empty list are ranks that are not bound" {
    for list in any ''; do
        on c240 pick --cpus "$list" --json
        ok
        [[ $(json 'len(j), len(j[0]["devices"])') == "(1, 1)" ]]
    done
}

@test "pick --device, --policy, --per, --any-state" {
    on c240 pick --cpus 0-3 --device 'usnic_3' --output ibdev
    ok
    [[ ${lines[1]} == usnic_3 ]]
    on c240 pick --cpus 0 --cpus 1 --policy rail=2 --output rank,ibdev
    ok
    [[ ${lines[1]} == *usnic_0 && ${lines[2]} == *usnic_1 ]]
    on c240 pick --cpus 0 --cpus 8 --per node --count 1 --json
    ok
    [[ $(json 'j[0]["devices"][0]["ibdev"] == j[1]["devices"][0]["ibdev"]') == True ]]
    on eight-rail pick --cpus 32-63 --device mlx5_3
    fails 1 mlx5_3
    on eight-rail pick --cpus 32-63 --device mlx5_3 --any-state --output ibdev
    ok
}

@test "pick --used and --busy" {
    on c240 pick --cpus 0 --used usnic_0=64 --output ibdev
    ok
    [[ ${lines[1]} == usnic_1 ]]
    on c240 pick --cpus 0 --device usnic_1 --count 63 --busy
    fails 1 usnic_1
    on c240 pick --cpus 0 --device usnic_1 --count 63
    ok
    on c240 pick --cpus 0 --used nosuch=1
    fails 2 'no such device'
    on c240 pick --cpus 0 --used usnic_0
    fails 2 'expected DEVICE=N'
}

@test "pick that can't be: exit code 1 and who is in the way" {
    on c240 pick --cpus 0 --device 'mlx*'
    fails 1 'no device matches'
    on c240 pick --cpus 0 --count 300
    fails 1 ''
    on laptop pick --cpus 0
    fails 1 ''
}

@test "a machine with 1,024 VFs" {
    on big list --json
    ok
    [[ $(json 'len(j), len({d["nic"] for d in j})') == "(1040, 16)" ]]
}

@test "map: what it prints is read by --map, and by nobody as text" {
    for m in c240 kinds big laptop; do
        on "$m" list --json
        before=$status$output
        "$HWMAP" map --sysfs "$(machine "$m")" >"$BATS_TEST_TMPDIR/map"
        hwmap list --json --quiet --map "$BATS_TEST_TMPDIR/map"
        [[ $status$output == "$before" ]]
    done
    on c240 map --json
    fails 2 "redirect it"
    head -c -1 "$BATS_TEST_TMPDIR/map" >"$BATS_TEST_TMPDIR/short"
    hwmap list --map "$BATS_TEST_TMPDIR/short"
    [[ $status == 3 && -z $output ]]
}
