#!/usr/bin/env bats
# berth-hwmap capture: what it copies is enough, and no more.

load common

ALL='c240 many-vfs eight-rail single laptop kinds cpuless no-node snc asymmetric offline numa-off part hostile'

@test "capture: read back, every machine is the same" {
    for m in $ALL; do
        on "$m" capture "$BATS_TEST_TMPDIR/$m"
        ok
        for verb in list gres 'pick --cpus 0-3 --cpus any' tree cdi; do
            # shellcheck disable=SC2086 # words
            on "$m" $verb --json
            before=$status$output
            # shellcheck disable=SC2086 # words
            hwmap $verb --json --sysfs "$BATS_TEST_TMPDIR/$m"
            [[ $status$output == "$before" ]] || { diff <(echo "$before") <(echo "$status$output"); false; }
        done
    done
}

@test "capture: a capture of a capture is the same" {
    on kinds capture --json "$BATS_TEST_TMPDIR/a"
    ok
    hwmap capture --json --sysfs "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
    ok
    diff -r --no-dereference "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
}

@test "capture: this machine" {
    hwmap list --json
    before=$output
    hwmap capture "$BATS_TEST_TMPDIR/this"
    ok
    hwmap list --json --sysfs "$BATS_TEST_TMPDIR/this"
    [[ $output == "$before" ]]
}

@test "capture: an archive" {
    cd "$BATS_TEST_TMPDIR"
    on c240 capture --json node7.tar
    ok
    [[ $(json 'j["path"], j["addresses"]') == "('node7.tar', 'replaced')" ]]
    tar xf node7.tar
    hwmap list --sysfs node7 --output ibdev
    ok
    has usnic_3
    [[ -z $(tar tvf node7.tar | awk '$2 != "0/0"') ]]
    [[ -z $(ls -d "${TMPDIR:-/tmp}"/berth-hwmap.* 2>/dev/null) ]]
}

@test "capture: nothing tells this machine from others of its kind" {
    dir=$BATS_TEST_TMPDIR/tree
    "$MKTREE" c240 "$dir"
    printf '00:25:b5:aa:bb:0%s\n' 1 2 >"$dir/mac"
    # an interface that is called after its address, and an attribute with one
    net=$(find "$dir/devices" -name enp6s0f0)
    mv "$net" "${net%/*}/enx0025b5aabb01"
    ln -sfn "$(readlink "$dir/class/net/enp6s0f0" | sed s/enp6s0f0/enx0025b5aabb01/)" "$dir/class/net/enx0025b5aabb01"
    rm "$dir/class/net/enp6s0f0"
    echo enx0025b5aabb01 >"$dir/class/infiniband/usnic_0/iface"
    hwmap capture --sysfs "$dir" "$BATS_TEST_TMPDIR/c"
    ok
    run grep -rlEi '0025b5|00:25:b5' "$BATS_TEST_TMPDIR/c"
    [[ -z $output ]]
    [[ -z $(find "$BATS_TEST_TMPDIR/c" -name '*0025b5*') ]]
    hwmap list --sysfs "$BATS_TEST_TMPDIR/c" --output ibdev,netdev
    ok
    has 'enx000000000001'
    hwmap capture --keep-ids --sysfs "$dir" "$BATS_TEST_TMPDIR/k"
    ok
    hwmap list --sysfs "$BATS_TEST_TMPDIR/k" --output netdev
    has enx0025b5aabb01
}

@test "capture: no host name, no serial number in the topology of this machine" {
    hwmap capture "$BATS_TEST_TMPDIR/this"
    ok
    run grep -E 'name="(HostName|DMI[A-Za-z]*(Serial|UUID|Asset|Tag)[A-Za-z]*|LinuxCgroup|OSVersion)" value="[^"]+"' "$BATS_TEST_TMPDIR/this/topology.xml"
    [[ -z $output ]]
    run grep -rlw "$(hostname)" "$BATS_TEST_TMPDIR/this"
    [[ -z $output ]]
}

@test "capture: what is there already is left alone, and a failure leaves nothing" {
    cd "$BATS_TEST_TMPDIR"
    mkdir dir
    echo mine >file.tar
    on c240 capture dir
    fails 4 'dir: File exists'
    on c240 capture file.tar
    fails 4 'file.tar: File exists'
    [[ $(<file.tar) == mine ]]
    on c240 capture no/such/dir
    fails 4 'no/such/dir'
    run --separate-stderr env PATH=/nosuch "$HWMAP" capture new.tar
    fails 4 'tar'
    [[ ! -e new.tar ]]
    hwmap capture --sysfs /nosuch new
    fails 3 /nosuch
    [[ ! -e new ]]
}

@test "capture: a hostile tree's links do not lead out of it" {
    dir=$BATS_TEST_TMPDIR/tree
    "$MKTREE" c240 "$dir"
    ln -sfn /etc/passwd "$dir/class/infiniband/usnic_0/max_vf"
    ln -sfn ../../../../../../../../../../../../../etc/passwd "$dir/class/infiniband/usnic_1/iface"
    hwmap capture --sysfs "$dir" "$BATS_TEST_TMPDIR/c"
    ((status == 0))
    run grep -rl root: "$BATS_TEST_TMPDIR/c"
    [[ -z $output ]]
}
