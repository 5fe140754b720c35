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
    run as alice sbatch --wait --output="row1.$BERTH_SLOT" --container="$dir/img.sqsh" --wrap 'cat /etc/os-release'
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
