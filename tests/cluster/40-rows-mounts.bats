#!/usr/bin/env bats
# Images and mounts that lead somewhere else: rows 3, 4, 5, 10 and 13 of the threat table.

load common
load rows
NEEDS_PLUGIN=yes

# victim: a tree of root's outside all containers; victim_same: nothing has touched it.
victim() {
    install -d "$BERTH_W/work/victim/sub" "$BERTH_W/work/victim/a" "$BERTH_W/work/victim/b"
    echo original >"$BERTH_W/work/victim/file"
    echo original >"$BERTH_W/work/victim/sub/file"
    : >"$BERTH_W/work/victim/null"
    victim_hash >"$BATS_TEST_TMPDIR/victim"
}
victim_hash() {
    {
        find "$BERTH_W/work/victim" -printf '%P %i %M %u %g %s %T@ %C@\n'
        find "$BERTH_W/work/victim" -type f -exec cat {} +
        cat /proc/sys/kernel/core_pattern
        find /etc -maxdepth 1 -name '*berth*' -o -maxdepth 1 -name 'null*' -o -maxdepth 1 -name 'pts' -o -maxdepth 1 -name shm
    } | sha256sum
}
victim_same() { diff "$BATS_TEST_TMPDIR/victim" <(victim_hash); }

# refused TEXT: a failed step, one line, which holds TEXT.
refused() {
    fails
    one_berth_line
    has "$1"
}

# ---- row 4: the image's /dev ----

# shellcheck disable=SC2016 # expanded inside
DEV_CHECK='[ -d /dev ] && [ ! -L /dev ] && [ "$(stat -f -c %T /dev)" = tmpfs ] &&
    [ "$(stat -c "%t:%T %F" /dev/null)" = "1:3 character special file" ] &&
    [ "$(stat -c "%t:%T %F" /dev/zero)" = "1:5 character special file" ] &&
    [ "$(stat -c "%t:%T %F" /dev/ptmx)" = "5:2 character special file" ] &&
    [ "$(stat -f -c %T /dev/pts)" = devpts ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ] &&
    [ "$(readlink /dev/fd)" = /proc/self/fd ] && echo gone >/dev/null && echo its own dev'

# own_dev KIND [srun arguments]: for each trap, the container has Berth's /dev, and nothing happens outside.
own_dev() {
    local kind=$1 img name
    shift
    victim
    local -A traps=(
        [link-etc]='ln -s /etc dev'
        [link-up]='ln -s ../../../../../../../etc dev'
        [link-victim]="ln -s ../../../../../../../$BERTH_W/work/victim dev"
        [link-proc]='mkdir proc; ln -s /proc dev'
        [link-loop]='ln -s dev dev'
        [file]='echo no directory >dev'
        [none]='rm -rf dev'
        [null]='mkdir dev; ln -s /proc/sys/kernel/core_pattern dev/null'
        [inside]="mkdir dev; cd dev; ln -s / pts; ln -s /etc shm; ln -s $BERTH_W/work/victim/null ptmx
            ln -s /etc fd; mkdir zero; mkfifo full; ln -s /proc/self/mem tty; : >null; mknod random c 1 1"
    )
    for name in "${!traps[@]}"; do
        img=$(trap_image "$name$kind" "${traps[$name]}")
        [[ -z ${FOR:-} ]] || chown -R "$FOR": "$img"
        run in_image "$img" "$@" -- sh -c "$DEV_CHECK"
        ok
        matches "its own dev" || { echo "with $name$kind"; return 1; }
    done
    victim_same
}

@test "row 4: traps in the image's /dev, squashfs" { own_dev .sqsh; }
@test "row 4: traps in the image's /dev, erofs" { own_dev .erofs; }
@test "row 4: traps in the image's /dev, a directory" { own_dev ''; }
@test "row 4: traps in the image's /dev, through FUSE" { FOR=berthalice own_dev .sqsh; }
@test "row 4: traps in the image's /dev, a directory of the user's" { FOR=berthalice own_dev ''; }
@test "row 4: traps in the image's /dev, writable root" {
    own_dev .sqsh --container-writable
    FOR=berthalice own_dev '' --container-writable
}

@test "row 4: devices of an image's own /dev cannot be had" {
    img=$(trap_image nodes.sqsh 'mkdir dev; mknod -m 666 dev/scratch c 231 193; mknod -m 666 scratch c 231 193')
    run in_image "$img" sh -c 'ls -d /dev/scratch; cat /scratch'
    fails
    has "/dev/scratch: No such file"
    has "can't open '/scratch': Permission denied"
}

@test "row 4: the user's directory image gets another /dev while the container is built" {
    victim
    dir=$(own alice race)
    tree "$dir/root"
    chown -R berthalice: "$dir"
    as alice mkdir "$dir/root/dev"
    as alice ln -s "$BERTH_W/work/victim" "$dir/root/other"
    race alice "$dir/root/dev" "$dir/root/other"
    run drive alice -i "$dir/root" -c / -n $((80 * ROUNDS)) -x "$DEV_CHECK"
    race_end
    # where the root itself changes under the build it may fail, and say so
    only 'joined|its own dev|failed: .*'
    as_many joined "its own dev"
    has joined
    victim_same
}

# ---- row 5: /proc and /sys ----

# own_proc KIND [srun arguments]: as own_dev, for the image's /proc and /sys.
# shellcheck disable=SC2016 # expanded inside
PROC_CHECK='[ ! -L /proc ] && [ "$(stat -f -c %T /proc)" = proc ] && [ "$(cat /proc/self/comm)" = cat ] &&
    [ ! -L /sys ] && [ "$(stat -f -c %T /sys)" = sysfs ] && [ -d /sys/class ] && echo its own proc'
own_proc() {
    local kind=$1 img name
    shift
    victim
    local -A traps=(
        [links]="ln -s /tmp/x proc; ln -s ../../../../../..$BERTH_W/work/victim sys"
        [loop]='ln -s sys proc; ln -s proc sys'
        [files]='echo no directory >proc; echo no directory >sys'
        [none]='rm -rf proc sys'
        [inside]="mkdir -p proc/sys/kernel proc/self sys; ln -s /proc/sys/kernel/core_pattern proc/self/comm
            ln -s $BERTH_W/work/victim/file proc/self/oom_score_adj; ln -s $BERTH_W/work/victim sys/class"
    )
    for name in "${!traps[@]}"; do
        img=$(trap_image "$name$kind" "${traps[$name]}")
        run in_image "$img" "$@" -- sh -c "$PROC_CHECK"
        ok
        matches "its own proc" || { echo "with $name$kind"; return 1; }
    done
    victim_same
}

@test "row 5: traps in place of the image's /proc and /sys, squashfs" { own_proc .sqsh; }
@test "row 5: traps in place of the image's /proc and /sys, erofs" { own_proc .erofs; }
@test "row 5: traps in place of the image's /proc and /sys, a directory" { own_proc ''; }
@test "row 5: traps in place of the image's /proc and /sys, writable root" { own_proc .sqsh --container-writable; }

@test "row 5: a user's mount on or below /proc, /sys and /dev" {
    dir=$(own alice fake)
    as alice mkdir -p "$dir/self"
    as alice sh -c "echo fake >$dir/file"
    img=$(image tiny.sqsh)
    cd /
    for dst in /proc /proc/self /proc/sys/kernel /proc/../proc /tmp/../proc /./proc //proc/self /proc/ /sys /sys/fs/cgroup \
        /dev /dev/shm /dev/pts /dev/null/../x; do
        run in_image "$img" --container-mounts="$dir:$dst" true
        refused --container-mounts
    done
    for spec in "$dir/file:/proc/self/comm" "$dir/file:/dev/null" tmpfs:/proc tmpfs:/sys tmpfs:/dev/shm; do
        run in_image "$img" --container-mounts="$spec" true
        refused --container-mounts
    done
}

@test "row 5: a symlink of the image's, or of an earlier mount's, that leads a mount to /proc, /sys or /dev" {
    dir=$(own alice fake)
    as alice mkdir -p "$dir/self" "$dir/links"
    img=$(trap_image links.sqsh 'mkdir proc sys dev; ln -s /proc p; ln -s ../proc/self q; ln -s sys/fs s; ln -s /dev d; ln -s p pp')
    for dst in /p /p/self /d /d/shm /pp/self; do
        run in_image "$img" --container-mounts="$dir:$dst" true
        refused "which is the container's own"
    done
    # what these lead to is not in the image: they give way to the mount
    for dst in /q /s; do
        run in_image "$img" --container-mounts="$dir:$dst" sh -c "$(mounted "$dir")"
        ok
        matches "$dst"
    done
    for to in /proc ../../proc ../../../../../proc /proc/self /sys /dev /dev/shm /; do
        as alice ln -sfn "$to" "$dir/links/to"
        run in_image "$img" --container-mounts="$dir/links:/mnt,$dir/self:/mnt/to" true
        refused "which is the container's own"
    done
}

@test "row 5: the source of a mount is one of the kernel's own file systems" {
    dir=$(own alice fake)
    for to in /proc/self /proc/1 /proc /sys /sys/fs /dev /dev/pts /proc/self/root/proc; do
        run in_image "$(image tiny.sqsh)" --container-mounts="$to:/mnt" true
        refused "mount source"
        as alice ln -sfn "$to" "$dir/to"
        run in_image "$(image tiny.sqsh)" --container-mounts="$dir/to:/mnt" true
        refused "mount source"
    done
}

# calls REGEX [options of drive]: the calls of the helper and all its children that match, with descriptors' paths.
calls() {
    local what=$1
    shift
    drive alice "$@" -- strace -ff -y -qq -o "$BATS_TEST_TMPDIR/log" \
        -e trace=%file,openat2,mknodat,fchownat,fchmodat,open_tree,move_mount,fsconfig "$(helper)" >"$BATS_TEST_TMPDIR/answer"
    grep -qx joined "$BATS_TEST_TMPDIR/answer" || cat "$BATS_TEST_TMPDIR/answer"
    # the keeper of images goes a moment later
    wait_until 5 keeper_gone
    cat "$BATS_TEST_TMPDIR"/log.* | grep -E "$what" | grep -v ' = -1 ' || :
    rm "$BATS_TEST_TMPDIR"/log.*
}
keeper_gone() { [[ ! -e $BERTH_W/state/keeper.sock ]]; }

# Nothing is written through the container's names, below which a user's mounts are.
@test "row 5: the helper opens for writing what it made itself, its oom_score_adj and the loop control, no more" {
    dir=$(own alice mine)
    as alice mkdir "$dir/sub"
    for how in "" "-m $dir:/mnt,$dir/sub:/mnt/a/b,tmpfs:/srv/x"; do
        # shellcheck disable=SC2086 # words
        run calls 'open.*(O_WRONLY|O_RDWR).*<' -i "$(image tiny.sqsh)" $how
        only ".*<(/dev/loop-control|/proc/[0-9]+/oom_score_adj|$BERTH_W/state/top/etc/(passwd|group|hosts|resolv.conf))>"
        has "/state/top/etc/passwd>"
    done
}

# ---- row 3: destinations ----

# where [AWK]: run inside: root and place of each mount that comes from the host's disk.
# shellcheck disable=SC2016 # for awk
WHERE='$4 != "/" || $5 == "/" { print $4, $5 }'

@test "row 3: a destination that climbs out" {
    dir=$(own alice mine)
    for dst in ../x /../x /mnt/../../x /mnt/.. mnt .. / // /. '' /mnt/./../../../../etc; do
        run in_image "$(image tiny.sqsh)" --container-mounts="$dir:$dst" true
        refused --container-mounts
    done
}

@test "row 3: symlinks of the image's, absolute and relative, lead no further than its root" {
    dir=$(own alice mine)
    victim
    for kind in .sqsh .erofs ''; do
        img=$(trap_image "links$kind" "mkdir -p a/b srv .$BERTH_W/work/victim; ln -s ../../../../../../../.. a/up
            ln -s ../../../../../../..$BERTH_W/work/victim a/victim; ln -s $BERTH_W/work/victim b; ln -s /srv/../../../a/b c")
        for dst in "/a/victim $BERTH_W/work/victim" "/b $BERTH_W/work/victim" "/b/new $BERTH_W/work/victim/new" \
            "/a/up/srv /srv" "/c /a/b"; do
            run in_image "$img" --container-mounts="$dir:${dst% *}" sh -c "$(mounted "$dir")"
            ok
            matches "${dst#* }"
        done
        run in_image "$img" --container-mounts="$dir:/a/up" true
        refused "/a/up"
    done
    victim_same
}

@test "row 3: a symlink in a user's mount, for a mount below it" {
    dir=$(own alice mine)
    victim
    as alice mkdir "$dir/x" "$dir/y"
    for to in "$BERTH_W/work/victim" ../../../../../../../../.. "../../../../../../..$BERTH_W/work/victim" ../.. /etc; do
        as alice ln -sfn "$to" "$dir/x/a"
        run in_image "$(image tiny.sqsh)" --container-mounts="$dir/x:/mnt,$dir/y:/mnt/a/b" -- \
            sh -c "$(mounted "$dir/y")"
        if ((status == 0)); then matches "/*/b"; else one_berth_line; fi
    done
    victim_same
}

# flipped: while names change places, containers with two mounts, one in the other, are built: each has nothing but
# its own mounts, at places in the container, or there is none and a line says why. In both cases the host's mounts
# stay (the census) and the victim is not touched.
flipped() {
    local root=$1 allowed='(/|/tmp|/dev|/home/berthalice|/proc|/sys).*|.*/[xy] (/.*)?/(a|b|c|etc|victim|sub|mnt)'
    shift
    run drive alice -i "$root" -m "$1" -c / -n $((150 * ROUNDS)) -x "awk '$WHERE' /proc/self/mountinfo; echo end"
    race_end
    only "joined|end|failed: .*|$allowed"
    hasnt "$BERTH_W/work/victim "
    as_many joined end
    has joined
    victim_same
}

@test "row 3: a directory of the image flips to a symlink out and back" {
    victim
    dir=$(own alice flip)
    tree "$dir/root"
    chown -R berthalice: "$dir"
    as alice mkdir -p "$dir/root/mnt/a" "$dir/x" "$dir/y"
    as alice ln -s "../../../../../../../$BERTH_W/work/victim" "$dir/root/mnt/other"
    race alice "$dir/root/mnt/a" "$dir/root/mnt/other"
    flipped "$dir/root" "$dir/x:/mnt/a,$dir/y:/mnt/a/b"
    as_many joined ".*/y /.*"
}

@test "row 3: a directory in a user's mount flips to a symlink out and back" {
    victim
    dir=$(own alice flip)
    as alice mkdir -p "$dir/x/a/b" "$dir/y"
    as alice ln -s "../../../../../../../$BERTH_W/work/victim" "$dir/x/other"
    race alice "$dir/x/a" "$dir/x/other"
    flipped "$(image tiny.sqsh)" "$dir/x:/mnt,$dir/y:/mnt/a/b"
    as_many joined ".*/y /.*"
}

@test "row 3: a directory in a user's mount flips to a symlink to /proc and back" {
    victim
    dir=$(own alice flip)
    as alice mkdir -p "$dir/x/a/self" "$dir/y"
    as alice ln -s /proc "$dir/x/other"
    race alice "$dir/x/a" "$dir/x/other"
    run drive alice -i "$(image tiny.sqsh)" -m "$dir/x:/mnt,$dir/y:/mnt/a/self" -c / -n $((150 * ROUNDS)) \
        -x "$(mounted "$dir/y")"
    race_end
    only "joined|/mnt/a/self|/mnt/other/self|failed: .*"
    as_many joined "/mnt/.*"
    has joined
    has "which is the container's own"
}

@test "row 3: a directory is moved out of a user's mount and back" {
    victim
    dir=$(own alice flip)
    as alice mkdir -p "$dir/x/a/b" "$dir/out" "$dir/y"
    race alice "$dir/x/a" "$dir/out"
    flipped "$(image tiny.sqsh)" "$dir/x:/mnt,$dir/y:/mnt/a/b"
}

# ---- row 10: setuid, file capabilities and device nodes ----

# privileges DIR: programs that would raise their user on a file system that allowed it, and device nodes.
privileges() {
    local me
    me=$(tool inside)
    install -D -m 4755 "$me" "$1/opt/suid"
    install -m 6755 -o berthbob -g berthgrp "$me" "$1/opt/bob"
    install -m 755 "$me" "$1/opt/caps"
    install -m 755 "$me" "$1/opt/plain"
    # version 2, effective: cap_setuid, cap_dac_override and cap_sys_admin permitted
    python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 1 | 1 << 7 | 1 << 21, 0, 0, 0))' "$1/opt/caps"
    mknod -m 666 "$1/opt/node" c 231 193
    mknod -m 666 "$1/opt/mem" c 1 1
    mknod -m 666 "$1/opt/disk" b 7 0
}

# shellcheck disable=SC2016 # expanded inside
PRIVILEGES='for p in plain suid bob caps; do $AT/opt/$p; done; $AT/opt/plain open $AT/opt/node $AT/opt/mem $AT/opt/disk'

# powerless: what PRIVILEGES printed: four times the user, and no device.
powerless() {
    local u g
    u=$(id -u berthalice) g=$(id -g berthalice)
    ok
    lines 7
    only "uid $u $u $u gid $g $g $g caps 0 nnp 1|.*/(node|mem|disk) EACCES"
}

@test "row 10: the test itself: on the host the programs raise their user, the node opens" {
    dir=$(own alice here)
    privileges "$dir"
    run as alice AT="$dir" sh -c "$PRIVILEGES"
    has "uid $(id -u berthalice) 0 0"
    has "uid $(id -u berthalice) $(id -u berthbob)"
    has "caps 2000"
    has "node ENXIO"
}

@test "row 10: in an image of every kind, trusted" {
    dir=$BATS_TEST_TMPDIR/tree
    tree "$dir"
    privileges "$dir"
    for kind in .sqsh .erofs ''; do
        pack "$dir" "$BERTH_IMAGES/trap-priv$kind"
        for how in --container-readonly --container-writable; do
            run in_image "$BERTH_IMAGES/trap-priv$kind" "$how" -- sh -c "$PRIVILEGES"
            powerless
        done
    done
    "$BERTH_TOP/tests/images/mksif" "$BERTH_IMAGES/trap-priv.sqsh" "$BERTH_IMAGES/trap-priv.sif"
    run in_image "$BERTH_IMAGES/trap-priv.sif" sh -c "$PRIVILEGES"
    powerless
    install -d "$BERTH_IMAGES/trap-bundle"
    cp "$BERTH_TOP/tests/images/config.json" "$BERTH_IMAGES/trap-bundle/"
    mv "$BERTH_IMAGES/trap-priv" "$BERTH_IMAGES/trap-bundle/rootfs"
    mkdir -p "$BERTH_IMAGES"/trap-bundle/rootfs/srv/{work,tmpfs}
    run in_image "$BERTH_IMAGES/trap-bundle" sh -c "$PRIVILEGES"
    powerless
}

@test "row 10: in an image of the user's, through FUSE and as a directory" {
    dir=$(own alice mine)
    tree "$dir/root"
    privileges "$dir/root"
    pack "$dir/root" "$dir/root.sqsh"
    chown berthalice: "$dir/root.sqsh"
    for how in --container-readonly --container-writable; do
        run in_image "$dir/root.sqsh" "$how" -- sh -c "$PRIVILEGES"
        powerless
        run in_image "$dir/root" "$how" -- sh -c "$PRIVILEGES"
        powerless
    done
}

# flags IMAGE [srun arguments]: every mount in the container is nosuid, and nodev but for /dev.
# shellcheck disable=SC2016 # for awk
FLAGS='$6 !~ /(^|,)nosuid(,|$)/ { print "suid", $5 }
    $6 !~ /(^|,)nodev(,|$)/ && $5 !~ "^/dev(/|$)" { print "dev", $5 }
    END { if (NR > 4) print "read" }'
flags() {
    run in_image "$1" "${@:2}" -- awk "$FLAGS" /proc/self/mountinfo
    ok
    matches read
}

@test "row 10: in a bind, recursive or not, with a mount below it that has neither flag" {
    dir=$(own alice binds)
    privileges "$dir"
    install -d "$dir/sub"
    mount -t tmpfs -o suid,dev,exec none "$dir/sub"
    privileges "$dir/sub"
    install -d "$dir/sub/deep"
    mount -t tmpfs -o suid,dev,exec none "$dir/sub/deep"
    privileges "$dir/sub/deep"
    run as alice AT="$dir/sub/deep" sh -c "$PRIVILEGES"
    has "uid $(id -u berthalice) 0 0"
    has "node ENXIO"
    img=$(image tiny.sqsh)
    for how in '' :bind :rbind :rprivate :ro :rw+rbind :rslave; do
        for at in /mnt /mnt/sub /mnt/sub/deep; do
            run in_image "$img" --container-mounts="$dir:/mnt$how" --export=ALL,AT=$at -- sh -c "$PRIVILEGES"
            powerless
        done
        flags "$img" --container-mounts="$dir:/mnt$how"
    done
    umount "$dir/sub/deep" "$dir/sub"
}

@test "row 10: the flags of all mounts, for every kind of image and with all that can be mounted" {
    dir=$(own alice all)
    for img in "$(image tiny.sqsh)" "$(image base.erofs)" "$(image base)" "$(image bundle)" "$(image_of alice tiny.sqsh)"; do
        flags "$img"
        flags "$img" --container-writable
        flags "$img" --container-mounts="tmpfs:/mnt,$dir:/opt/x,/etc:/opt/etc,/usr:/opt/usr" --container-mount-home \
            --container-unshare=net,ipc,uts
    done
}

@test "row 10: mknod, inside" {
    run in_image "$(image tiny.sqsh)" --container-writable -- mknod /tmp/berth-node c 231 193
    fails
    has "Operation not permitted"
    run in_image "$(image tiny.sqsh)" --container-writable -- mknod /dev/node c 231 193
    fails
}

# What the mount on the host forbids is not to be had by asking for the node.
@test "row 10: a device node on a nodev mount, asked for as a device" {
    dir=/dev/berth-test$BERTH_SLOT
    install -d -m 1777 "$dir"
    install -d "$BERTH_W/work/nodev"
    mount -t tmpfs -o nodev none "$BERTH_W/work/nodev"
    mknod -m 666 "$BERTH_W/work/nodev/node" c 231 193
    as alice ln -s "$BERTH_W/work/nodev/node" "$dir/link"
    run as alice "$(tool inside)" open "$dir/link"
    matches "$dir/link EACCES"
    run in_image "$(image tiny.sqsh)" --container-mounts="$dir/link" ls "$dir"
    rm -rf "$dir"
    umount "$BERTH_W/work/nodev"
    refused nodev
}

# Below /dev, where users can write: a mount of their own may claim to be any device, and does not say "nodev".
@test "row 10: a device node of another file system than /dev, asked for as a device" {
    dir=/dev/berth-test$BERTH_SLOT
    install -d -m 1777 "$dir"
    install -d "$BERTH_W/work/devices"
    mount -t tmpfs none "$BERTH_W/work/devices"
    mknod -m 666 "$BERTH_W/work/devices/node" c 231 193
    as alice ln -s "$BERTH_W/work/devices/node" "$dir/link"
    run in_image "$(image tiny.sqsh)" --container-mounts="$dir/link" ls "$dir"
    rm -rf "$dir"
    umount "$BERTH_W/work/devices"
    refused "another file system than the host's /dev"
}

# Its flags are those of the host then. What is left is no_new_privs, and what the host itself forbids.
@test "row 10: what the host mounts later, into a mount with rslave" {
    dir=$(own alice later)
    mount --bind "$dir" "$dir"
    mount --make-shared "$dir"
    as alice mkdir "$dir/sub"
    # shellcheck disable=SC2016 # expanded inside
    in_image "$(image tiny.sqsh)" -w "$(node 1)" --container-mounts="$dir:/mnt:rslave" -- sh -c 'echo up
        until [ -e /mnt/sub/ready ]; do usleep 50000; done
        for p in plain suid bob caps; do /mnt/sub/opt/$p; done' >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    wait_until 10 grep -q up "$BATS_TEST_TMPDIR/out" 2>/dev/null
    mount -t tmpfs -o suid,dev,exec none "$dir/sub"
    privileges "$dir/sub"
    touch "$dir/sub/ready"
    wait $! || :
    run grep -v 'srun: error' "$BATS_TEST_TMPDIR/out"
    u=$(id -u berthalice) g=$(id -g berthalice)
    # the kernel does not start a program whose capabilities it may not give
    only "up|uid $u $u $u gid $g $g $g caps 0 nnp 1|.*sh: /mnt/sub/opt/caps: Operation not permitted"
    lines 5
    # and nothing goes the other way
    run in_image "$(image tiny.sqsh)" --container-mounts="$dir:/mnt:rshared" true
    refused "--container-mounts"
    umount "$dir/sub" "$dir"
}

# ---- row 13: clean-up ----

@test "row 13: the helper and the keeper of images remove by name in the state directory, and only what they made" {
    dir=$(own alice mine)
    as alice mkdir "$dir/sub"
    for how in "" "-m $dir:/mnt,$dir/sub:/mnt/new/deep,tmpfs:/srv"; do
        # shellcheck disable=SC2086 # words
        run calls '(unlink|rmdir|rename|umount)' -i "$(image tiny.sqsh)" $how
        only "unlinkat\([0-9]+<$BERTH_W/state>, \"(keeper.sock|step-[0-9]+\.0@[a-z0-9]*)\", 0\) += 0|umount2\(\"(\.|/img/[0-9]+)\", MNT_DETACH\) += 0|rmdir\(\"/img/[0-9]+\"\) += 0"
        has keeper.sock
        has umount2
        has step-
    done
}

# taken_away NAME: a step of alice's runs with all that a user can give; then NAME, of hers, becomes a symlink to the
# victim, and the step is cancelled.
taken_away() {
    local dir=$BERTH_W/work/mine img
    victim
    own alice mine >/dev/null
    tree "$dir/root"
    mkdir -p "$dir/root/mnt"
    as alice mkdir -p "$dir/cwd/sub" "$dir/bind/sub" "$dir/other"
    pack "$dir/root" "$dir/root.sqsh"
    chown -R berthalice: "$dir"
    img=$dir/root
    [[ $1 != root.sqsh ]] || img=$dir/root.sqsh
    AS_CWD=$dir/cwd in_image "$img" --job-name=taken --container-mount-home \
        --container-mounts="$dir/bind:/mnt,$dir/other:/mnt/new/deep" -- \
        sh -c 'echo up; exec sleep 60' >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    wait_until 10 grep -q up "$BATS_TEST_TMPDIR/out"
    as alice mv "$dir/$1" "$dir/was"
    as alice ln -s "$BERTH_W/work/victim" "$dir/$1"
    as alice scancel -n taken
    wait $! || :
    victim_same
    rm "$BATS_TEST_TMPDIR/out"
}

@test "row 13: the user's directories become symlinks to a victim's while the step runs" {
    for name in cwd bind other root root.sqsh bind/sub; do taken_away "$name"; done
}

@test "row 13: the same while a helper is killed and another one sweeps" {
    victim
    dir=$(own alice mine)
    as alice mkdir "$dir/bind"
    in_image "$(image tiny.sqsh)" -w "$(node 1)" --container-mounts="$dir/bind:/mnt" -- sh -c 'echo up; exec sleep 60' \
        >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    wait_until 10 grep -q up "$BATS_TEST_TMPDIR/out"
    helper=$(pgrep -n -f -x "$(helper)")
    [[ $(readlink "/proc/$helper/exe") == "$(helper)" ]]
    kill -KILL "$helper"
    as alice mv "$dir/bind" "$dir/was"
    as alice ln -s "$BERTH_W/work/victim" "$dir/bind"
    as alice scancel -u berthalice -w "$(node 1)"
    wait $! || :
    run in_image "$(image tiny.sqsh)" -w "$(node 1)" -- true
    ok
    victim_same
}

@test "row 13: what does not belong in the state directory: nothing is followed, entered or emptied" {
    victim
    cd "$BERTH_W/state"
    # names such as the helper's own, that a sweep looks at
    install -d step-990.0/sub step-991.0
    echo keep >step-990.0/sub/file
    mount -t tmpfs none step-991.0
    echo keep >step-991.0/file
    ln -s "$BERTH_W/work/victim" step-992.0
    ln -s "$BERTH_W/work/victim/file" step-993.0
    ln "$BERTH_W/work/victim/sub/file" step-994.0
    victim_hash >"$BATS_TEST_TMPDIR/victim"
    install -d other
    ln -s "$BERTH_W/work/victim" link
    for i in 1 2; do
        run in_image "$(image tiny.sqsh)" -- true
        ok
    done
    run cat step-990.0/sub/file step-991.0/file
    matches $'keep\nkeep'
    [[ -d other && -L link ]]
    # a second name is a name: that may go, the file stays
    [[ $(cat "$BERTH_W/work/victim/file" "$BERTH_W/work/victim/sub/file") == $'original\noriginal' ]]
    umount step-991.0
    rm -rf step-99* other link
    [[ -d $BERTH_W/work/victim/sub ]]
}

@test "row 13: a state directory that is a symlink, not root's, open to others, or in a place that others can change" {
    victim
    at=$BERTH_W/work/place
    refused_state() {
        args "state_dir=$1"
        run in_image "$(image tiny.sqsh)" true
        refused "state"
        has "$2"
    }
    install -d "$at"
    install -d -m 700 "$at/real"
    ln -s real "$at/link"
    refused_state "$at/link" "$at/link"
    for mode in 755 770 701; do
        install -d -m "$mode" "$at/open"
        refused_state "$at/open" "with mode 0$mode"
    done
    install -d -m 700 -o berthalice "$at/alice"
    refused_state "$at/alice" "owned by"
    # root's, but alice can put another one in its place
    dir=$(own alice place2)
    install -d -m 700 "$dir/state"
    refused_state "$dir/state" "not owned by root"
    refused_state "$dir/new" "not owned by root"
    install -d -m 1777 "$at/sticky"
    refused_state "$at/sticky/state" "writable by group or others"
    as alice ln -s "$BERTH_W/work/victim/sub" "$dir/link"
    refused_state "$dir/link/state" "$dir"
    [[ ! -e $dir/new && ! -e $BERTH_W/work/victim/sub/state ]]
    victim_same
    args "state_dir=$at/real/state"
    run in_image "$(image tiny.sqsh)" -- true
    ok
}
