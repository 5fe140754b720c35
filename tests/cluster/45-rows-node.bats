#!/usr/bin/env bats
# Rows 8, 11, 13, 25, 27, 34, 37 and 38 of the threat table: what a step must not do to its node and to other steps.

load common
load rows
NEEDS_PLUGIN=yes

@test "row 8: no program of Berth's can be written through /proc while steps join a container" {
    local before job
    before=$(sha256sum "$BERTH_PREFIX"/libexec/berth/* "$BERTH_PREFIX/lib/slurm/berth.so")
    # shellcheck disable=SC2016  # expanded in the job
    run as alice AS_TIMEOUT=60 salloc -Q -n2 sh -c '
        srun --overlap -n1 --container="'"$(image base.sqsh)"'" sh -c "
            touch /dev/shm/row8; n=0
            while [ -e /dev/shm/row8 ] && [ \$n -lt 20000 ]; do
                for e in /proc/[0-9]*/exe; do true >>\$e && echo wrote \$e; done; n=\$((n+1))
            done 2>/dev/null" &
        until [ -e /dev/shm/row8 ]; do sleep 0.1; done
        for i in 1 2 3 4 5; do srun --overlap -n1 --container-join=0 id -un || exit 9; done
        rm /dev/shm/row8; wait'
    rm -f /dev/shm/row8
    ok
    hasnt wrote
    job=$(grep -c berthalice <<<"$output")
    ((job == 5))
    [[ $(sha256sum "$BERTH_PREFIX"/libexec/berth/* "$BERTH_PREFIX/lib/slurm/berth.so") == "$before" ]]
}

@test "row 11: a job's environment steers nothing that runs as root, nor the helper's children" {
    local so=/home/berthalice/preload.so conf=/home/berthalice/conf image vars
    install -m 755 "$(tool preload.so)" "$so"
    # a configuration that would be refused, were it looked at
    install -d -m 777 "$conf"
    echo 'required /nowhere.so' >"$conf/plugstack.conf"
    chmod 666 "$conf/plugstack.conf"
    rm -f /tmp/berth-test-mark*
    vars="ALL,LD_PRELOAD=$so,LD_AUDIT=$so,BERTH_CONF=$conf,SLURM_CONF=$conf/slurm.conf,HWLOC_FSROOT=$conf"
    vars+=",HWLOC_PLUGINS_PATH=$conf,LIBMOUNT_FORCE_MOUNT2=always,TMPDIR=$conf"
    for image in "$(image base.sqsh)" "$(image_of alice tiny.sqsh)" "$(image bundle)"; do
        run as alice srun --container="$image" --export="$vars" true
        ok
    done
    [[ ! -e /tmp/berth-test-mark.0 ]]
    rm -rf /tmp/berth-test-mark* "$conf" "$so"
}

@test "row 13: clean-up follows no link that a user lays" {
    local victim=$BERTH_W/victim before
    install -d -m 755 "$victim/deep"
    echo keep >"$victim/deep/file"
    before=$(find "$victim" -printf '%p %m %u %s\n' | sort | sha256sum)
    # What a step leaves is in its mount namespace; what it can lay links in are the places that outlive it.
    run as alice srun --container="$(image base.sqsh)" --container-writable sh -c "
        ln -s $victim /tmp/row13; ln -s $victim /dev/shm/row13; ln -s $victim \$HOME/row13; ln -s $victim /opt/row13
        mkdir -p /srv/x && ln -s $victim /srv/x/y"
    ok
    rm -f /tmp/row13 /dev/shm/row13 /home/berthalice/row13
    [[ $(find "$victim" -printf '%p %m %u %s\n' | sort | sha256sum) == "$before" ]]
    rm -rf "$victim"
}

@test "row 13: the state directory is root's alone, and no step can name it" {
    [[ $(stat -c '%U %a' "$BERTH_W/state") == 'root 700' ]]
    run as alice ls "$BERTH_W/state"
    fails
    run as alice srun --container="$(image base.sqsh)" --container-mounts="$BERTH_W/state:/x" true
    fails 1
    has "berth: "
    chmod 755 "$BERTH_W/state"
    run as alice srun --container="$(image base.sqsh)" true
    chmod 700 "$BERTH_W/state"
    fails 1
    has "expected root and 0700"
}

@test "row 25: a user's image overwritten, truncated and replaced under a step harms that step only" {
    local image how before
    before=$(dmesg 2>/dev/null | wc -l)
    for how in 'dd if=/dev/zero of=IMG bs=64k count=64 conv=notrunc status=none' 'truncate -s 4096 IMG' 'rm IMG'; do
        image=$(image_of alice base.sqsh)
        # shellcheck disable=SC2016  # expanded in the job
        run as alice AS_TIMEOUT=40 srun --container="$image" sh -c "${how//IMG/$image}"'; for f in /usr/bin/*; do cat "$f"; done >/dev/null 2>&1; exit 0'
        # the shell itself may die of what it can no longer read: any end is one, a hang is not
        ((status != 124))
        rm -f "$image"
        nodes_are idle
        run as alice srun --container="$(image base.sqsh)" id -un
        ok
    done
    (($(dmesg 2>/dev/null | wc -l) - before < 200))
}

@test "row 27: mounts of steps do not show on the node, though its root is shared" {
    local before n=${ROUNDS} i
    before=$(awk '{ print $5, $6 }' /proc/self/mountinfo | sort | sha256sum)
    # shellcheck disable=SC2016  # expanded in the other namespace
    run unshare -m --propagation shared sh -c 'awk "{ print \$5 }" /proc/self/mountinfo | sort >'"$BATS_TEST_TMPDIR/a"
    ok
    for ((i = 0; i < 10 * n; i++)); do
        run as alice srun --container="$(image tiny.sqsh)" --container-mounts=tmpfs:/x,/etc:/y true
        ok
    done
    [[ $(awk '{ print $5, $6 }' /proc/self/mountinfo | sort | sha256sum) == "$before" ]]
}

@test "row 27: a file system that the node mounts during a step is not pinned by the step" {
    local dir=$BERTH_W/usb
    install -d "$dir"
    as alice srun -J row27 --container="$(image base.sqsh)" --container-mounts=/home:/homes sleep 20 3>&- &
    wait_until 10 job_runs row27
    truncate -s 4M "$BATS_TEST_TMPDIR/disk"
    mkfs.ext4 -q "$BATS_TEST_TMPDIR/disk" 2>/dev/null
    mount -o loop "$BATS_TEST_TMPDIR/disk" "$dir"
    umount "$dir"
    # a superblock that is still in use would keep its loop device
    wait_until 5 not_looped "$BATS_TEST_TMPDIR/disk"
    scancel -n row27 -u berthalice
    wait
    rmdir "$dir"
}

not_looped() { [[ -z $(losetup -j "$1") ]]; }

@test "row 34: 128 steps of one image share one loop device; none fails" {
    local n=128 i
    BERTH_ARGS="image_linger=5" plugstack_write
    # shellcheck disable=SC2016  # expanded in the job
    run as alice AS_TIMEOUT=120 salloc -Q -N1 -n16 --overcommit sh -c '
        i=0; while [ $i -lt '$n' ]; do
            srun -Q --overlap --overcommit -n1 --container="'"$(image tiny.sqsh)"'" sh -c "echo in" & i=$((i+1))
        done; wait'
    plugstack_write
    [[ $(grep -c '^in$' <<<"$output") == "$n" ]] || { hasnt berth:; tail -n 5 <<<"$output"; return 1; }
    i=$(losetup -l -n -O BACK-FILE | grep -c "$BERTH_IMAGES/tiny.sqsh") || true
    ((i <= 1))
    wait_until 15 not_looped "$BERTH_IMAGES/tiny.sqsh"
}

@test "row 34: with other loop devices coming and going a step still starts" {
    local churn
    truncate -s 1M "$BATS_TEST_TMPDIR/other"
    (
        for ((k = 0; k < 60; k++)); do
            d=$(losetup -f --show "$BATS_TEST_TMPDIR/other" 2>/dev/null) && losetup -d "$d"
        done
    ) 3>&- &
    churn=$!
    for _ in 1 2 3 4 5; do
        run as alice srun --container="$(image tiny.sqsh)" echo in
        ok
        has in
    done
    wait "$churn"
}

@test "row 34: many distinct images at once, none fails" {
    local n=${ROWS_IMAGES:-40} i
    for ((i = 0; i < n; i++)); do cp "$(image tiny.sqsh)" "$BERTH_IMAGES/row34-$i.sqsh"; done
    # shellcheck disable=SC2016  # expanded in the job
    run as alice AS_TIMEOUT=120 salloc -Q -N1 -n16 --overcommit sh -c '
        i=0; while [ $i -lt '"$n"' ]; do
            srun -Q --overlap --overcommit -n1 --container="'"$BERTH_IMAGES"'/row34-$i.sqsh" echo in & i=$((i+1))
        done; wait'
    rm -f "$BERTH_IMAGES"/row34-*
    [[ $(grep -c '^in$' <<<"$output") == "$n" ]] || { tail -n 5 <<<"$output"; return 1; }
}

@test "row 37: nothing is unpacked, as no one, when an image cannot be mounted" {
    local image before
    image=$(image_of alice base.sqsh)
    before=$(df --output=used -B1M "$BERTH_W" | tail -n 1)
    BERTH_ARGS="squashfuse=/nonexistent/squashfuse_ll" plugstack_write
    run as alice srun --container="$image" true
    plugstack_write
    fails 1
    has "ask the administrator"
    (($(df --output=used -B1M "$BERTH_W" | tail -n 1) - before < 20))
    run find "$BERTH_W" /tmp -xdev -name 'squashfs-root*'
    [[ -z $output ]]
}

@test "row 37: files of a user's image keep other users out" {
    run as bob srun --container="$(image_of alice base.sqsh)" true
    # alice's home may be open to bob or not: bob gets a step of his own or a refusal, never alice's mount
    ((status == 0)) || has "not readable by you"
    as alice srun -J row37 --container="$(image_of alice base.sqsh)" sleep 20 3>&- &
    wait_until 10 job_runs row37
    # no allow_other: the FUSE mount lets nobody in but alice, and is in no namespace of bob's
    run as bob cat /proc/self/mountinfo
    hasnt berth-image
    scancel -n row37 -u berthalice
    wait
}

@test "row 38: at most 64 mounts, each tmpfs of bounded size" {
    local spec=tmpfs:/m1 i
    for ((i = 2; i <= 64; i++)); do spec+=,tmpfs:/m$i; done
    run as alice srun --container="$(image base.sqsh)" --container-mounts="$spec" sh -c 'grep -c " /m[0-9]* " /proc/self/mountinfo'
    ok
    has 64
    run as alice srun --container="$(image base.sqsh)" --container-mounts="$spec,tmpfs:/m65" true
    fails
    has berth
    BERTH_ARGS="tmpfs_size=8m" plugstack_write
    run as alice srun --container="$(image base.sqsh)" --container-mounts=tmpfs:/x:size=1g sh -c 'df -k /x | tail -n 1; dd if=/dev/zero of=/x/f bs=1M count=32 status=none'
    fails
    has "8192"
    has "No space left"
    run as alice srun --container="$(image base.sqsh)" --container-writable sh -c 'dd if=/dev/zero of=/f bs=1M count=32 status=none'
    fails
    has "No space left"
    plugstack_write
}
