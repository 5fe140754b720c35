#!/usr/bin/env bats
# berth-hwmap: options, exit codes, where the output goes.

load common

@test "--help, --version" {
    hwmap --help
    ok
    has 'Usage: berth-hwmap'
    width_max 100
    hwmap --version
    ok
    [[ $output == "berth-hwmap "* ]]
}

@test "unknown options and words fail with a hint" {
    for args in --foo -x '--jso=1' 'list --cpus 1' 'pick --keep-ids' 'tree --output pci' nosuch 'list extra' 'capture a b' '--json=3'; do
        # shellcheck disable=SC2086 # words
        hwmap $args
        fails 2 'see berth-hwmap --help'
    done
}

@test "values that can't be" {
    for args in '--cpus 3-1' '--cpus 5000' '--cpus 1,' '--cpus=-1' '--cpus 0 --count 0' '--cpus 0 --count 1x' '--cpus 0 --policy far' \
        '--cpus 0 --policy rail=0' '--cpus 0 --per core' '--count 2' '--cpus' '--cpus 0 --output nope' '--cpus 0 --output ,' '--map x --sysfs y --cpus 0'; do
        # shellcheck disable=SC2086 # words
        on c240 pick $args
        fails 2 ''
    done
    hwmap gres --name 'a b'
    fails 2 --name
    hwmap capture
    fails 2 'expected a directory'
    hwmap list --output rank
    fails 2 'rank is no column'
}

@test "control characters of an argument are not printed" {
    hwmap $'--a\e[31mb'
    fails 2 '--a?[31mb'
    hwmap list --sysfs $'/no\nsuch'
    fails 3 '/no?such'
}

@test "what can't be read: exit code 3" {
    hwmap list --sysfs /nosuch
    fails 3 /nosuch
    hwmap list --topology /nosuch.xml
    fails 3 /nosuch.xml
    hwmap list --map /nosuch
    fails 3 /nosuch
    hwmap list --map /etc/passwd
    fails 3 ''
    hwmap list --state-dir /nosuch
    fails 3 /nosuch
}

@test "output that can't be written: exit code 4" {
    dir=$(machine c240)
    for verb in list 'list --json' tree gres cdi --help 'pick --cpus 0'; do
        # shellcheck disable=SC2086 # words
        run "$HWMAP" $verb --sysfs "$dir" >/dev/full
        run bash -c "'$HWMAP' $verb --sysfs '$dir' >/dev/full"
        [[ $status == 4 && $output == *"could not be written: No space left on device" ]]
        run bash -c "'$HWMAP' $verb --sysfs '$dir' >&-"
        [[ $status == 4 && $output == *"standard output is closed" ]]
    done
}

@test "closed standard input and error do no harm" {
    dir=$(machine c240)
    run bash -c "'$HWMAP' list --sysfs '$dir' <&- 2>&-"
    [[ $status == 0 && $output == *usnic_3* ]]
}

@test "a reader that goes away ends it quietly" {
    dir=$(machine big)
    run bash -c "'$HWMAP' list --sysfs '$dir' | head -n 1"
    [[ $status == 0 && ${#lines[@]} == 1 ]]
}

@test "as another user than root" {
    dir=$(machine c240)
    chmod -R a+rX "$BATS_RUN_TMPDIR"
    # it makes a directory of its own for hwloc, and that of the tests is closed to others
    run env TMPDIR=/tmp setpriv --reuid 65534 --regid 65534 --clear-groups "$HWMAP" list --json --sysfs "$dir"
    ((status == 0)) || { echo "$output"; return 1; }
    [[ $(json 'len(j)') == 4 ]]
}

@test "who holds slots, from Berth's leases" {
    state=$BATS_TEST_TMPDIR/state boot=$(</proc/sys/kernel/random/boot_id)
    mkdir -p "$state/leases"
    chmod 700 "$state/leases"
    install -m 600 /dev/null "$state/leases/lock"
    # a cgroup with processes: without a holder that lives, these slots are in quarantine
    cgroup=$(awk -F: '$1 == 0 || $2 ~ /freezer/ { print $3; exit }' /proc/self/cgroup)
    for root in /sys/fs/cgroup/freezer /sys/fs/cgroup/unified /sys/fs/cgroup; do [[ -e $root$cgroup/cgroup.procs ]] && break; done
    ln -s "v1 boot=$boot job=1234 step=0 uid=1000 user=ann since=1764111111 dev=231:193 cgroup=$(stat -c %i "$root$cgroup"):$root$cgroup" \
        "$state/leases/usnic_1@0000:07:00.0#3"
    sleep 60 &
    on c240 list --state-dir "$state" --output ibdev,vfs_free,leased,holders
    kill %1
    ok
    has 'usnic_1    62       1  1 in quarantine by 1234.0 (ann)'
    on c240 tree --state-dir "$state"
    ok
    has '1 in quarantine by 1234.0 (ann)'
}

@test "--map: the same devices and choices as of the scan that it was kept from" {
    for m in c240 kinds; do
        "$HWMAP" map --quiet --sysfs "$(machine "$m")" >"$BATS_TEST_TMPDIR/$m.map"
        for verb in list 'pick --cpus 0-3 --cpus any' cdi; do
            # shellcheck disable=SC2086 # words
            on "$m" $verb --json
            ok
            before=$output
            # shellcheck disable=SC2086 # words
            hwmap $verb --json --map "$BATS_TEST_TMPDIR/$m.map"
            ok
            [[ $output == "$before" ]]
        done
    done
    hwmap list --map "$BATS_TEST_TMPDIR/c240.map" --notes
    ((status == 0))
    says 'not of this node as it is now'
}
