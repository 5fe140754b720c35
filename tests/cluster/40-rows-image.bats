#!/usr/bin/env bats
# Which image is opened, by whom, and who may mount it: rows 1, 6, 18 and 19 of the threat table.

load common
load rows
NEEDS_PLUGIN=yes

# secret NAME: an image that no user can read, which says IMAGE_ID=secret.
secret() {
    local dir=$BERTH_W/work/secret.d
    [[ -d $dir ]] || { install -d "$BERTH_W/work" && tree "$dir" && marked "$dir" secret; }
    pack "$dir" "$1"
    chmod 600 "$1"
    [[ ! -d $1 ]] || chmod 700 "$1"
}

# refused TEXT: a failed step, one line, which holds TEXT, and nothing of the secret.
refused() {
    fails
    one_berth_line
    has "$1"
    hasnt IMAGE_ID=
}

@test "row 1: an image of root's, mode 0600" {
    for kind in sqsh erofs; do
        secret "$BERTH_IMAGES/secret.$kind"
        run in_image "$BERTH_IMAGES/secret.$kind" cat /etc/os-release
        refused "not readable by you"
        rm "$BERTH_IMAGES/secret.$kind"
    done
}

@test "row 1: a directory of root's, mode 0700" {
    dir=$(own alice d)
    secret "$dir/secret"
    run in_image "$dir/secret" cat /etc/os-release
    refused "not readable by you"
}

@test "row 1: an image below another user's 0700 directory" {
    dir=$(own bob private)
    chmod 700 "$dir"
    put tiny.sqsh "$dir/img.sqsh"
    run as bob srun --container="$dir/img.sqsh" cat /etc/os-release
    ok
    has IMAGE_ID=tiny
    run in_image "$dir/img.sqsh" cat /etc/os-release
    refused "not readable by you"
    run batch alice --output="row1.$BERTH_SLOT" --container="$dir/img.sqsh" --wrap 'cat /etc/os-release'
    fails
    run as alice cat "row1.$BERTH_SLOT"
    has "not readable by you"
    hasnt IMAGE_ID=
}

@test "row 1: readable through a supplementary group, below a trusted directory or not" {
    dir=$(own bob group)
    for at in "$dir/group.sqsh" "$BERTH_IMAGES/group.sqsh"; do
        put tiny.sqsh "$at"
        chown root:berthgrp "$at"
        chmod 640 "$at"
        run in_image "$at" cat /etc/os-release
        ok
        has IMAGE_ID=tiny
        run as bob srun --container="$at" cat /etc/os-release
        refused "not readable by you"
        rm "$at"
    done
}

@test "row 1: the source of a mount that the user cannot reach" {
    dir=$(own bob private)
    chmod 700 "$dir"
    as bob sh -c "echo IMAGE_ID=hidden >$dir/file"
    # the directory can be named, what is in it cannot
    run in_image "$(image tiny.sqsh)" --container-mounts="$dir:/mnt" -- cat /mnt/file
    fails
    has "can't open '/mnt/file': Permission denied"
    run in_image "$(image tiny.sqsh)" --container-mounts="$dir/file:/mnt/file" -- cat /mnt/file
    refused "Permission denied"
}

# exchanged GOOD BAD: in rounds of real steps, and many of the helper alone, GOOD (IMAGE_ID=tiny) and BAD (leads to
# the secret) change places; a step sees tiny, or says why not.
exchanged() {
    local good=$1 i n=$((12 * ROUNDS)) out=$BATS_TEST_TMPDIR/out
    race alice "$good" "$2"
    for ((i = 0; i < n; i++)); do in_image "$good" cat /etc/os-release >>"$out" 2>&1 || :; done
    drive alice -i "$good" -c /home/berthalice -n $((100 * ROUNDS)) -x 'cat /etc/os-release' >>"$out" 2>&1 || :
    race_end
    run grep secret "$out"
    fails 1
    # both sides of the race were seen
    grep -q IMAGE_ID=tiny "$out"
    grep -q "not readable by you" "$out"
}

@test "row 1: the image's name changes places with a symlink to a secret image" {
    dir=$(own alice race)
    put tiny.sqsh "$dir/img.sqsh" alice
    secret "$BERTH_IMAGES/secret.sqsh"
    ln -s "$BERTH_IMAGES/secret.sqsh" "$dir/other"
    chown -h berthalice: "$dir/other"
    exchanged "$dir/img.sqsh" "$dir/other"
    rm "$BERTH_IMAGES/secret.sqsh"
}

@test "row 1: symlinks to a good trusted image and to a secret trusted image change places" {
    dir=$(own alice race)
    secret "$BERTH_IMAGES/secret.sqsh"
    as alice ln -s "$(image tiny.sqsh)" "$dir/img"
    as alice ln -s "$BERTH_IMAGES/secret.sqsh" "$dir/other"
    exchanged "$dir/img" "$dir/other"
    rm "$BERTH_IMAGES/secret.sqsh"
}

@test "row 1: a directory changes places with a symlink to a secret directory" {
    dir=$(own alice race)
    secret "$BERTH_W/work/secret"
    tree "$dir/img"
    chown -R berthalice: "$dir/img"
    as alice ln -s "$BERTH_W/work/secret" "$dir/other"
    exchanged "$dir/img" "$dir/other"
}

# opens PATH: one line "UID CALL..." for each call in the traces that has PATH in its arguments, with the uid that the
# process had become by setresuid (0: none).
opens() {
    awk -v path="\"$1\"" 'FNR == 1 { uid = 0 }
        /^setresuid\(/ && / = 0$/ { uid = $2 + 0 }
        !/^execve/ && index($0, path) { print uid, $0 }' "$BATS_TEST_TMPDIR"/log.*
}

# one_open UID PATH
one_open() {
    run opens "$2"
    lines 1
    matches "$1 openat(*O_RDONLY*"
    rm "$BATS_TEST_TMPDIR"/log.*
}

@test "row 1: strace of slurmd and all below it sees one call that names the image, an open, by the user" {
    uid=$(id -u berthalice)
    for img in "$(image tiny.sqsh)" "$(image base.erofs)"; do
        trace "$BATS_TEST_TMPDIR/log" -e trace=%file,setresuid,open_tree,fsconfig,move_mount
        run in_image "$img" -w "$(node 1)" cat /etc/os-release
        trace_end
        ok
        one_open "$uid" "$img"
    done
}

# Without a task: strace would read its memory, which the traced and so stopped FUSE server has to provide.
@test "row 1: the same of the helper alone, with an image for FUSE" {
    img=$(image_of alice tiny.sqsh)
    run drive alice -i "$img" -- strace -ff -qq -o "$BATS_TEST_TMPDIR/log" \
        -e trace=%file,setresuid,open_tree,fsconfig,move_mount "$(helper)"
    ok
    has joined
    one_open "$(id -u berthalice)" "$img"
}

# ---- row 6: a file system that its user made is not for the kernel to parse ----

# kernel_saw: the file systems that the helper asked of the kernel in the last traced run, and "loop" for a loop device.
kernel_saw() {
    sed -nE 's/.*\bfsopen\("([^"]*)".*/\1/p; s/.*\bioctl\(.*\bLOOP_.*/loop/p' "$BATS_TEST_TMPDIR"/log.* |
        sort -u | paste -sd ' '
    rm "$BATS_TEST_TMPDIR"/log.*
}

# traced_drive [options of drive]: as alice, traced for kernel_saw, with a keeper of images of its own.
traced_drive() {
    install -d "$BERTH_W/work"
    drive alice -a "state_dir=$(mktemp -d "$BERTH_W/work/state.XXXXXX")" "$@" -- strace -ff -qq --seccomp-bpf -o "$BATS_TEST_TMPDIR/log" -e trace=fsopen,ioctl,mount "$(helper)"
}

@test "row 6: a user's image is read by a FUSE server, not by the kernel, and uses no loop device" {
    for name in tiny.sqsh base.sif; do
        run traced_drive -i "$(image_of alice "$name")" -x 'cat /etc/os-release'
        ok
        has IMAGE_ID=
        run kernel_saw
        matches "fuse overlay tmpfs"
    done
    # a copy of a trusted one is not trusted
    dir=$(own alice copy)
    as alice cp "$(image tiny.sqsh)" "$dir/tiny.sqsh"
    run traced_drive -i "$dir/tiny.sqsh"
    ok
    run kernel_saw
    matches "fuse overlay tmpfs"
}

@test "row 6: the FUSE server runs as the user, with nothing but its image" {
    as alice srun -w "$(node 1)" --container="$(image_of alice tiny.sqsh)" sh -c 'echo up; exec sleep 60' >"$BATS_TEST_TMPDIR/out" 3>&- &
    wait_until 10 grep -q up "$BATS_TEST_TMPDIR/out"
    server=''
    for pid in $(pgrep -u berthalice -x squashfuse_ll); do
        grep -q "slurm_$(node 1)/" "/proc/$pid/cgroup" && server=$pid
    done
    [[ -n $server ]]
    run cat "/proc/$server/status"
    has "NoNewPrivs:	1"
    has "Seccomp:	2"
    # block_suspend, which allows nothing here, and keeps the user's other processes from attaching to it
    for set in CapPrm CapEff CapInh CapAmb; do has "$set:	0000001000000000"; done
    has "CapBnd:	0000000000000000"
    run as alice cat "/proc/$server/environ"
    has "Permission denied"
    run as alice dd bs=1 count=0 of="/proc/$server/mem"
    has "Permission denied"
    [[ $(tr '\0' '\n' <"/proc/$server/environ" | grep -c .) == 0 ]]
    # null, the image, /dev/fuse, a pipe for what it says
    run find "/proc/$server/fd" -type l -printf '%l\n'
    [[ $(sort -u <<<"$output" | grep -cvE "^(/dev/null|/dev/fuse|pipe:.*|/home/berthalice/images/tiny.sqsh)$") == 0 ]]
    as alice scancel -u berthalice -w "$(node 1)"
    wait $! || :
}

@test "row 6: a trusted image is for the kernel: squashfs over a loop device, erofs without" {
    run traced_drive -i "$(image tiny.sqsh)" -x 'cat /etc/os-release'
    ok
    has IMAGE_ID=tiny
    run kernel_saw
    matches "loop overlay squashfs tmpfs"
    run traced_drive -i "$(image base.erofs)" -x 'cat /etc/os-release'
    ok
    has IMAGE_ID=base
    run kernel_saw
    matches "erofs overlay tmpfs"
}

@test "row 6: no FUSE server on the node: refused with both remedies, by no means mounted" {
    args squashfuse=/nonexistent/squashfuse_ll erofsfuse=/nonexistent/erofsfuse
    for name in tiny.sqsh base.sif base.erofs; do
        run in_image "$(image_of alice "$name")" cat /etc/os-release
        refused "install that program, or to place the image below a trusted= directory"
        run traced_drive -i "$(image_of alice "$name")"
        fails 1
        run kernel_saw
        hasnt fs
        hasnt loop
    done
}

@test "row 6: kernel_mount_user_images=yes says so at every step" {
    args squashfuse=/nonexistent/squashfuse_ll kernel_mount_user_images=yes
    for i in 1 2; do
        run in_image "$(image_of alice tiny.sqsh)" cat /etc/os-release
        ok
        has IMAGE_ID=tiny
        one_berth_line
        has "kernel_mount_user_images=yes"
    done
    run traced_drive -i "$(image_of alice tiny.sqsh)"
    ok
    run kernel_saw
    matches "loop overlay squashfs tmpfs"
}

# ROWS_ROUNDS=500 gives 10,000 images.
@test "row 6: damaged images: one answer for each, and none reaches the kernel" {
    dir=$(own alice damaged)
    "$BERTH_TOP/tests/tools/mutate" "$(image tiny.sqsh)" "$dir" $((15 * ROUNDS))
    "$BERTH_TOP/tests/tools/mutate" "$(image base.sif)" "$dir" $((3 * ROUNDS))
    chown -R berthalice: "$dir"
    for img in "$dir"/*; do
        run traced_drive -i "$img"
        ((status <= 1))
        lines 1
        matches "joined" || matches "failed: *"
        run kernel_saw
        hasnt squashfs
        hasnt loop
    done
}

# ---- rows 18 and 19: with no FUSE server to be had, an image that is not trusted is refused, with the reason ----

# only_trusted DIR...: just these are, and there is no FUSE server.
only_trusted() {
    local IFS=,
    args squashfuse=/nonexistent erofsfuse=/nonexistent "trusted=$*"
}

# is_trusted IMAGE / is_not IMAGE REASON
is_trusted() {
    run in_image "$1" cat /etc/os-release
    ok
    has IMAGE_ID=tiny
}
is_not() {
    run in_image "$1" cat /etc/os-release
    refused "not trusted: "
    has "$2"
}

# site DIR...: root's directories below $BERTH_W/work, each with an image.
site() {
    local d
    for d; do
        install -d "$BERTH_W/work/$d"
        put tiny.sqsh "$BERTH_W/work/$d/a.sqsh"
    done
}

@test "row 18: a directory whose name begins like a trusted one" {
    site opt/img opt/img2 opt/im opt/img/sub
    only_trusted "$BERTH_W/work/opt/img"
    is_trusted "$BERTH_W/work/opt/img/a.sqsh"
    is_trusted "$BERTH_W/work/opt/img/sub/a.sqsh"
    is_not "$BERTH_W/work/opt/img2/a.sqsh" "not below a trusted= directory"
    is_not "$BERTH_W/work/opt/im/a.sqsh" "not below a trusted= directory"
    only_trusted "$BERTH_W/work/opt/img2"
    is_not "$BERTH_W/work/opt/img/a.sqsh" "not below a trusted= directory"
}

@test "row 18: dots, double slashes and trailing slashes, in the image's path and in trusted=" {
    site opt/img opt/img2
    cd "$BERTH_W/work/opt"
    only_trusted "$PWD/img"
    is_trusted "$PWD/img//a.sqsh"
    is_trusted "$PWD//img/./a.sqsh"
    is_trusted "$PWD/img2/../img/a.sqsh"
    is_not "$PWD/img/../img2/a.sqsh" "not below a trusted= directory"
    is_not "$PWD/img/..//img2/a.sqsh" "not below a trusted= directory"
    for t in "$PWD/img/" "$PWD//img//" "$PWD/img/." "$PWD/img2/../img"; do
        only_trusted "$t"
        is_trusted "$PWD/img/a.sqsh"
        is_not "$PWD/img2/a.sqsh" "not below a trusted= directory"
    done
}

@test "row 18: symlinks into and out of a trusted directory" {
    site opt/img opt/img2
    cd "$BERTH_W/work/opt"
    only_trusted "$PWD/img"
    dir=$(own alice links)
    as alice ln -s "$PWD/img/a.sqsh" "$dir/file"
    as alice ln -s "$PWD/img" "$dir/dir"
    is_trusted "$dir/file"
    is_trusted "$dir/dir/a.sqsh"
    ln -s ../img2/a.sqsh img/out.sqsh
    ln -s ../img2 img/out
    ln -s "$(image_of alice tiny.sqsh)" img/alice.sqsh
    is_not "$PWD/img/out.sqsh" "not below a trusted= directory"
    is_not "$PWD/img/out/a.sqsh" "not below a trusted= directory"
    is_not "$PWD/img/alice.sqsh" "not owned by root"
    ln -s img name
    only_trusted "$PWD/name"
    is_trusted "$PWD/img/a.sqsh"
    is_not "$PWD/img2/a.sqsh" "not below a trusted= directory"
}

@test "row 18: the directory is told by its inode, also where it is bound to another name" {
    site opt/img opt/img2
    install -d "$BERTH_W/work/alias"
    cd "$BERTH_W/work"
    only_trusted "$PWD/opt/img"
    mount --bind opt/img alias
    is_trusted "$PWD/alias/a.sqsh"
    umount alias
    # the name of the trusted directory leads to another one now
    mount --bind opt/img2 opt/img
    is_trusted "$PWD/opt/img/a.sqsh"
    umount opt/img
    mount --bind opt/img2 alias
    is_not "$PWD/alias/a.sqsh" "not below a trusted= directory"
}

@test "row 19: an image that its user owns or that others can write" {
    site img
    at=$BERTH_W/work/img/a.sqsh
    only_trusted "${at%/*}"
    is_trusted "$at"
    chown berthalice "$at"
    is_not "$at" "not owned by root"
    chown root "$at"
    for mode in 664 646 666; do
        chmod "$mode" "$at"
        is_not "$at" "writable by group or others"
    done
    chmod 644 "$at"
    is_trusted "$at"
}

@test "row 19: a parent below the trusted directory that others can change" {
    site img/mid/low
    at=$BERTH_W/work/img/mid/low/a.sqsh
    only_trusted "$BERTH_W/work/img"
    is_trusted "$at"
    for d in "$BERTH_W/work/img/mid" "$BERTH_W/work/img/mid/low"; do
        for mode in 775 757 1777; do
            chmod "$mode" "$d"
            is_not "$at" "writable by group or others"
        done
        chmod 755 "$d"
        chown berthalice "$d"
        is_not "$at" "not owned by root"
        chown root "$d"
        is_trusted "$at"
    done
}

@test "row 19: the trusted directory or one above it can be changed by others: no container at all" {
    site up/img
    only_trusted "$BERTH_W/work/up/img"
    for d in "$BERTH_W/work/up/img" "$BERTH_W/work/up"; do
        chmod 775 "$d"
        for img in "$BERTH_W/work/up/img/a.sqsh" "$(image tiny.sqsh)"; do
            run in_image "$img" cat /etc/os-release
            refused "no container is started until that is mended"
            has "trusted="
            has "${d##*/} is writable"
        done
        chmod 755 "$d"
        chown berthalice "$d"
        run in_image "$BERTH_W/work/up/img/a.sqsh" cat /etc/os-release
        refused "no container is started until that is mended"
        chown root "$d"
    done
    is_trusted "$BERTH_W/work/up/img/a.sqsh"
}

@test "row 19: a trusted or state directory that is reached through a user's symlink: no container at all" {
    site img
    dir=$(own alice links)
    as alice ln -s "$BERTH_W/work/img" "$dir/link"
    as alice ln -s "$BERTH_W/work" "$dir/work"
    ln -s "$dir/work/img" "$BERTH_W/work/around"
    ln -s img "$BERTH_W/work/straight"
    for t in "$dir/link" "$dir/work/img" "$BERTH_W/work/around"; do
        only_trusted "$t"
        run in_image "$BERTH_W/work/img/a.sqsh" true
        refused "links is not owned by root; no container is started until that is mended"
        args "state_dir=$t/state"
        run in_image "$BERTH_W/work/img/a.sqsh" true
        refused "links is not owned by root; no container is started until that is mended"
    done
    [[ ! -e $BERTH_W/work/img/state ]]
    only_trusted "$BERTH_W/work/straight/"
    is_trusted "$BERTH_W/work/img/a.sqsh"
    ln -s loop "$BERTH_W/work/loop"
    only_trusted "$BERTH_W/work/loop"
    run in_image "$BERTH_W/work/img/a.sqsh" true
    refused "Too many levels of symbolic links"
}

# acl PATH PERM MASK: an ACL that gives alice PERM, cut down by MASK; the rest is 0755.
acl() {
    python3 - "$1" "$2" "$3" "$(id -u berthalice)" <<'END'
import os, struct, sys
path, perm, mask, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
none = 0xffffffff
entries = [(1, 7, none), (2, perm, uid), (4, 5, none), (16, mask, none), (32, 5, none)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)
os.setxattr(path, "system.posix_acl_access", acl)
END
}

@test "row 19: an ACL that lets a user write the image or a parent" {
    site img/mid
    at=$BERTH_W/work/img/mid/a.sqsh
    only_trusted "$BERTH_W/work/img"
    for f in "$at" "${at%/*}"; do
        acl "$f" 5 7
        # the mask shows as the group's bits
        is_not "$at" "writable by group or others"
        acl "$f" 5 5
        is_trusted "$at"
        # cut down to nothing by the mask today, by root; chmod g+w gives it back
        acl "$f" 7 5
        is_not "$at" "ACL that grants write"
        python3 -c 'import os, sys; os.removexattr(sys.argv[1], "system.posix_acl_access")' "$f"
        chmod 755 "$f"
    done
    is_trusted "$at"
    acl "$BERTH_W/work/img" 7 5
    run in_image "$at" true
    refused "no container is started until that is mended"
}

@test "row 19: a file system of a user's that claims that root owns all" {
    command -v bindfs
    site img
    dir=$(own alice mine)
    put tiny.sqsh "$dir/a.sqsh" alice
    install -d "$BERTH_W/work/img/fuse"
    bindfs -o allow_other --force-user=root --force-group=root "$dir" "$BERTH_W/work/img/fuse"
    [[ $(as alice stat -c '%U %a' "$BERTH_W/work/img/fuse/a.sqsh") == "root 644" ]]
    only_trusted "$BERTH_W/work/img"
    is_trusted "$BERTH_W/work/img/a.sqsh"
    is_not "$BERTH_W/work/img/fuse/a.sqsh" "file system that is not on the list"
    only_trusted "$BERTH_W/work/img/fuse"
    run in_image "$BERTH_W/work/img/fuse/a.sqsh" true
    refused "no container is started until that is mended"
    has "file system that is not on the list"
}

@test "row 19: an image with a second name in a user's directory" {
    site img
    at=$BERTH_W/work/img/a.sqsh
    dir=$(own alice mine)
    only_trusted "${at%/*}"
    is_trusted "$at"
    ln "$at" "$dir/name"
    is_not "$at" "more than one link"
    is_not "$dir/name" "more than one link"
    rm "$dir/name"
    is_trusted "$at"
    # the user's own file, linked into the trusted directory
    put tiny.sqsh "$dir/own.sqsh" alice
    ln "$dir/own.sqsh" "${at%/*}/own.sqsh"
    is_not "${at%/*}/own.sqsh" "not owned by root"
    rm "$dir/own.sqsh"
    is_not "${at%/*}/own.sqsh" "not owned by root"
}

@test "row 19: an image that a user still has open for writing, or mapped" {
    dir=$(own alice mine)
    put tiny.sqsh "$dir/a.sqsh" alice
    mkfifo "$BATS_TEST_TMPDIR/in"
    as alice python3 -c '
import mmap, os, sys
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 0)
print("open", flush=True)
sys.stdin.readline()
f.close()
print("mapped", flush=True)
sys.stdin.readline()' "$dir/a.sqsh" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
    writer=$!
    exec 8>"$BATS_TEST_TMPDIR/in"
    wait_until 5 grep -q open "$BATS_TEST_TMPDIR/out" 2>/dev/null
    install -d "$BERTH_W/work/img"
    mv "$dir/a.sqsh" "$BERTH_W/work/img/"
    chown root: "$BERTH_W/work/img/a.sqsh"
    only_trusted "$BERTH_W/work/img"
    is_not "$BERTH_W/work/img/a.sqsh" "open for writing"
    echo >&8
    wait_until 5 grep -q mapped "$BATS_TEST_TMPDIR/out"
    is_not "$BERTH_W/work/img/a.sqsh" "open for writing"
    echo >&8
    exec 8>&-
    wait "$writer"
    is_trusted "$BERTH_W/work/img/a.sqsh"
}
