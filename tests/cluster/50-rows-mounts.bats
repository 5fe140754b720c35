#!/usr/bin/env bats
# Mounts that change, leak, alias or exhaust: rows 25, 26, 27, 37 and 38 of the threat table.
#
# FAULTS_STEPS (default 20): steps, or rounds of a race. A long run takes 1000.

# shellcheck disable=SC2016,SC2030,SC2031,SC2143 # expanded in steps; each test is a subshell; bats does not see "! grep"
load common
load rows
load faults
NEEDS_PLUGIN=yes

# ---- row 25 ----

# big_image FILE: tiny with 16 MiB of noise, more than anybody has read by the time it is damaged.
big_image() {
    tree "$HOLD/big"
    head -c 16M /dev/urandom >"$HOLD/big/blob"
    rm -f "$1"
    case $1 in
    *.erofs) mkfs.erofs "$1" "$HOLD/big" >/dev/null 2>&1 ;;
    *) mksquashfs "$HOLD/big" "$1" -noappend -no-progress -quiet -b 16k >/dev/null ;;
    esac
    rm -rf "$HOLD/big"
}

overwrite() { dd if=/dev/urandom of="$1" bs=1M count=17 conv=notrunc status=none; }
cut_off() { truncate -s 4096 "$1"; }
punch() { fallocate -p -o 4096 -l 16M "$1"; }
replace() { cp "$(image tiny.sqsh)" "$1.new" && mv "$1.new" "$1"; }

# kernel_lines: what the kernel has said about file systems and loop devices so far.
kernel_lines() { dmesg 2>/dev/null | grep -ciE 'squashfs|erofs|loop[0-9]|I/O error|fuse' || :; }

# changed HOW IMAGE: the image is changed below a step, which then reads all of it and writes its exit code to `read`.
changed() {
    local lines
    lines=$(kernel_lines)
    rm -f "$HOLD/go" "$HOLD/read"
    step_start srun --container="$2" -- \
        'while ! test -e go; do read -t 1 x; done 2>/dev/null; if cat /blob >/dev/null 2>&1; then r=0; else r=1; fi; echo $r >read'
    "$1" "$2"
    touch "$HOLD/go"
    step_end
    nodes_sound
    # beside other clusters the log is not ours alone
    (($(slots_used) > 1)) || (($(kernel_lines) - lines <= ${3:-20}))
}

@test "row 25: a user's image overwritten, cut, punched during a step: the damage is the step's" {
    local how img=$HOLD/mine.sqsh
    bystander
    for how in overwrite cut_off punch; do
        big_image "$img"
        chown berthalice: "$img"
        changed "$how" "$img"
        [[ ! -e $HOLD/read || $(<"$HOLD/read") == 1 ]] || { echo "$how: all was read"; return 1; }
    done
    bystander_ends
}

@test "row 25: a user's image replaced during a step: the step keeps the old one, the next has the new" {
    local img=$HOLD/mine.sqsh
    big_image "$img"
    chown berthalice: "$img"
    changed replace "$img"
    [[ $(<"$HOLD/read") == 0 ]]
    chmod 644 "$img"
    try srun --container="$img" ls /
    worked
    hasnt blob
}

@test "row 25: a site's image overwritten, cut, punched during a step: EIO in the step, no more" {
    local how img kind
    bystander
    for kind in sqsh erofs; do
        img=$BERTH_IMAGES/site.$kind
        for how in overwrite cut_off punch; do
            big_image "$img"
            changed "$how" "$img" 200
            rm "$img"
        done
    done
    bystander_ends
    try srun --container="$(image tiny.sqsh)" cat /etc/os-release
    worked
}

@test "row 25: a site's image replaced during a step: the step keeps the old one, the next has the new" {
    local img=$BERTH_IMAGES/site.sqsh
    plugstack image_linger=30
    big_image "$img"
    changed replace "$img"
    [[ $(<"$HOLD/read") == 0 ]]
    # also while the old one is still mounted
    try srun --container="$img" ls /
    worked
    hasnt blob
    rm "$img"
    kill "$(keeper)"
    rm -f "$BERTH_W/state/keeper.sock"
}

# ---- row 26 ----

# bound SRC [CMD...]: the source is at /x in the container.
bound() {
    local src=$1
    shift
    try srun --container="$(image tiny.sqsh)" --container-mounts="$src:/x" "$@"
}

@test "row 26: sources that are no plain files" {
    bystander
    echo secret >"$HOLD/closed"
    chown berthalice: "$HOLD/closed"
    chmod 000 "$HOLD/closed"
    bound "$HOLD/closed" cat /x
    failed
    [[ $said == *"Permission denied"* && $output != *secret* ]]
    mkfifo -m 644 "$HOLD/fifo"
    bound "$HOLD/fifo" test -p /x
    worked
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$HOLD/sock"
    bound "$HOLD/sock" test -S /x
    worked
    ln -s nowhere "$HOLD/dangling"
    refused_srun "dangling: No such file" --container="$(image tiny.sqsh)" --container-mounts="$HOLD/dangling:/x"
    bystander_ends
}

@test "row 26: a deleted source" {
    local fd pid=$BASHPID
    echo deleted >"$HOLD/deleted"
    exec {fd}<"$HOLD/deleted"
    rm "$HOLD/deleted"
    refused_srun "" --container="$(image tiny.sqsh)" --container-mounts="/proc/$pid/fd/$fd:/x"
    exec {fd}<&-
}

@test "row 26: what is not the user's to read is not bound" {
    install -d -m 700 "$BERTH_W/work/root"
    echo secret >"$BERTH_W/work/root/file"
    refused "Permission denied" --container="$(image tiny.sqsh)" --container-mounts="$BERTH_W/work/root/file:/x"
    chmod 700 "$(own bob closed)"
    refused_srun "Permission denied" --container="$(image tiny.sqsh)" --container-mounts="$BERTH_W/work/closed/none:/x"
}

@test "row 26: the node's own trees stay outside, by whatever name" {
    local src
    bystander
    for src in /proc /proc/self /proc/self/root/proc /sys /sys/fs/cgroup /dev /dev/shm /dev/pts / /. /proc/self/root \
        "$BERTH_W/spool/$(node 1)" "$BERTH_W/spool/$(node 1)/cred_state"; do
        refused_srun "" --container="$(image tiny.sqsh)" --container-mounts="$src:/x" || return 1
    done
    ln -s /proc "$HOLD/toproc"
    ln -s / "$HOLD/toroot"
    ln -s "$BERTH_W/spool/$(node 1)" "$HOLD/tospool"
    for src in toproc toproc/self toroot toroot/sys tospool; do
        refused_srun "mount source" --container="$(image tiny.sqsh)" --container-mounts="$HOLD/$src:/x" || return 1
    done
    refused "mount source /proc" --container="$(image tiny.sqsh)" --container-mounts=/proc:/x
    bystander_ends
}

@test "row 26: trees that the administrator denies" {
    local dir=$BERTH_W/work/denied
    install -d "$dir/below" "$dir.not"
    plugstack "deny=$dir"
    refused "the administrator excludes it (deny=)" --container="$(image tiny.sqsh)" --container-mounts="$dir/below:/x"
    ln -s "$dir/below" "$HOLD/link"
    refused_srun "the administrator excludes it (deny=)" --container="$(image tiny.sqsh)" --container-mounts="$HOLD/link:/x"
    bound "$dir.not" true
    worked
}

@test "row 26: a source that changes between a directory and a link to what is denied" {
    local denied=$BERTH_W/work/denied
    mkdir "$HOLD/here"
    touch "$HOLD/here/mine"
    install -d "$denied"
    touch "$denied/theirs"
    ln -s "$denied" "$HOLD/there"
    chown -hR berthalice: "$HOLD"
    race alice "$HOLD/here" "$HOLD/there"
    BERTH_ARGS="deny=$denied" run drive alice -i "$(image tiny.sqsh)" -m "$HOLD/here:/x" -c / \
        -n $((5 * ${FAULTS_STEPS:-20})) -x 'echo "saw $(ls /x)"'
    race_end
    # both happened, and nothing else
    has "saw mine"
    has "failed: mount source"
    [[ -z $(grep -vE '^joined$|^saw mine$|^failed: mount source .*deny=' <<<"$output") ]]
}

@test "row 26: sources and images that root may not read, as on a root-squashing server" {
    bystander
    fuse_dir alice squash
    run ls "$FUSE_DIR"
    fails
    bound "$FUSE_DIR" sed -n s/IMAGE_ID=/from:/p /x/etc/os-release
    worked
    has from:tiny
    try srun --container="$FUSE_DIR/img.sqsh" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
    try srun --container="$FUSE_DIR" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
    # (Slurm itself cannot start in such a directory.)
    try srun --container="$(image tiny.sqsh)" --container-mounts="$FUSE_DIR:$FUSE_DIR" --container-workdir="$FUSE_DIR" pwd
    worked
    [[ $output == "$FUSE_DIR" ]]
    fuse_dir_end
    bystander_ends
}

# ---- row 27 ----

@test "row 27: no mount comes back to a host whose mounts are all shared" {
    local i before after pid
    slurmd_in 1 true shared
    pid=$(slurmd_pid 1)
    # this test says nothing where they are not
    grep -qE '^([^ ]+ ){4}/ .* shared:' "/proc/$pid/mountinfo"
    before=$(<"/proc/$pid/mountinfo")
    for ((i = 0; i < ${FAULTS_STEPS:-20}; i++)); do
        local image flags=ro
        case $((i % 3)) in
        0) image=$(image tiny.sqsh) ;;
        1) image=$(image_of alice tiny.sqsh) ;;
        2) image=$(image base) ;;
        esac
        ((i % 2)) || flags=rw+rslave
        try srun -w "$(node 1)" --container="$image" --container-mounts="$HOLD:/x:$flags,tmpfs:/y" true
        worked
    done
    wait_until 10 same_mounts "$pid" "$before"
    # neither of the host's own mounts, nor of ours, is the propagation changed
    after=$(<"/proc/$pid/mountinfo")
    [[ $before == "$after" ]]
    slurmd_back
}

same_mounts() { [[ $(<"/proc/$1/mountinfo") == "$2" ]]; }

# in_slurmd CMD...: in the first node's mount namespace.
in_slurmd() { nsenter -t "$(slurmd_pid 1)" -m -- "$@"; }

stick_gone() { ! losetup -n -l -O BACK-FILE | grep -qF "$HOLD/stick"; }

@test "row 27: what the host mounts during a step is not in it, and can be taken away" {
    truncate -s 8M "$HOLD/stick"
    mkfs.ext4 -q -F "$HOLD/stick"
    mkdir "$HOLD/usb"
    slurmd_in 1 true shared
    step_start srun --container="$(image tiny.sqsh)" --container-mounts="$HOLD:/x" -- \
        'while ! test -e go; do sleep 0.1; done; ls usb /x/usb; exit 0'
    in_slurmd mount -o loop "$HOLD/stick" "$HOLD/usb"
    in_slurmd test -d "$HOLD/usb/lost+found"
    touch "$HOLD/go"
    step_end
    worked
    hasnt lost+found
    # again, and this time it goes while the step lives
    rm "$HOLD/go"
    step_start srun --container="$(image tiny.sqsh)" --container-mounts="$HOLD:/x"
    in_slurmd umount "$HOLD/usb"
    as alice scancel "${STEP%.*}"
    step_end
    # a step that began while it was there keeps it, but not beyond its end
    wait_until 10 stick_gone
    step_start srun --container="$(image tiny.sqsh)" --container-mounts="$HOLD:/x"
    in_slurmd mount -o loop "$HOLD/stick" "$HOLD/usb"
    in_slurmd umount "$HOLD/usb"
    wait_until 10 stick_gone
    as alice scancel "${STEP%.*}"
    step_end
    slurmd_back
}

# ---- row 37 ----

# twice IMAGE: a squashfs with a directory and a symlink of one name, which an unpacker as root would follow.
twice() {
    tree "$HOLD/twice"
    mkdir "$HOLD/twice/nameA" "$BERTH_W/work/victim"
    echo evil >"$HOLD/twice/nameA/planted"
    ln -s "$BERTH_W/work/victim" "$HOLD/twice/nameB"
    mksquashfs "$HOLD/twice" "$1" -noappend -no-progress -quiet -noI -noId -noD -noF -noX >/dev/null
    [[ $(grep -c nameB "$1") == 1 ]]
    sed -i s/nameB/nameA/ "$1"
    rm -rf "$HOLD/twice"
}

@test "row 37: an image with two entries of one name plants nothing" {
    local before img
    twice "$HOLD/twice.sqsh"
    chown berthalice: "$HOLD/twice.sqsh"
    cp "$HOLD/twice.sqsh" "$BERTH_IMAGES/twice.sqsh"
    before=$(find "$BERTH_W/work/victim" "$BERTH_W/state" -printf '%p %y\n')
    for img in "$HOLD/twice.sqsh" "$BERTH_IMAGES/twice.sqsh"; do
        try srun --container="$img" sh -c 'ls / /nameA' || :
        try srun --container="$img" --container-writable sh -c 'echo x >/nameA/y' || :
        # Berth itself makes a mount point there
        try srun --container="$img" --container-mounts="tmpfs:/nameA/deep/er" true || :
        [[ ! -e $BERTH_W/work/victim/planted && ! -e $BERTH_W/work/victim/deep ]]
    done
    rm "$BERTH_IMAGES/twice.sqsh"
    wait_until 10 no_helpers
    [[ $(find "$BERTH_W/work/victim" "$BERTH_W/state" -printf '%p %y\n') == "$before" ]]
    nodes_sound
}

no_helpers() { [[ -z $(helpers) && ! -e $BERTH_W/state/keeper.sock ]]; }

@test "row 37: no image is unpacked: nothing that can is run, nothing is written" {
    local file
    for file in "$(image tiny.sqsh)" "$(image_of alice tiny.sqsh)"; do
        trace "$HOLD/trace" -e trace=execve,openat,creat,mkdirat
        try srun -w "$(node 1)" --container="$file" true
        trace_end
        worked
        # helpers and servers, by their own names; and the user's command
        [[ -z $(grep -hE 'execve\(' "$HOLD"/trace.* | grep -vE 'ENOENT' | grep -E 'unsquashfs|tar"|cpio|fsck|dump') ]]
        [[ -z $(grep -hE 'O_CREAT|creat\(' "$HOLD"/trace.* | grep -E '"/(tmp|var/tmp|home)' | grep -v /dev/null) ]]
        rm -f "$HOLD"/trace.*
    done
    [[ $(stat -c %a "$BERTH_W/state") == 700 ]]
}

# ---- row 38 ----

@test "row 38: 10,000 mounts asked for" {
    local i list
    bystander
    list=$(for ((i = 0; i < 10000; i++)); do printf ',tmpfs:/m%d' "$i"; done)
    refused "longer than" --container="$(image tiny.sqsh)" --container-mounts="${list:1:120000}"
    list=$(for ((i = 0; i < 200; i++)); do printf ',tmpfs:/m%d' "$i"; done)
    refused "at most 64" --container="$(image tiny.sqsh)" --container-mounts="${list:1}"
    mkdir "$HOLD/oci" "$HOLD/oci/rootfs"
    {
        printf '{"root":{"path":"rootfs"},"mounts":['
        for ((i = 0; i < 10000; i++)); do printf '{"destination":"/m%d","type":"tmpfs","source":"tmpfs"},' "$i"; done
        printf '{"destination":"/m","type":"tmpfs","source":"tmpfs"}]}'
    } >"$HOLD/oci/config.json"
    refused "config.json" --container="$HOLD/oci"
    bystander_ends
}

@test "row 38: what a step can write is bounded" {
    plugstack tmpfs_size=8m
    local fill='dd if=/dev/zero of=$1/fill bs=1M count=64 2>&1; df -m $1 | tail -n 1'
    try srun --container="$(image tiny.sqsh)" --container-writable sh -c "$fill" sh /
    has "No space left"
    try srun --container="$(image tiny.sqsh)" --container-mounts=tmpfs:/x:size=100g sh -c "$fill" sh /x
    has "No space left"
    try srun --container="$(image_of alice tiny.sqsh)" --container-writable sh -c "$fill" sh /
    has "No space left"
    # what Berth itself makes for a step without --container-writable cannot be written at all
    try srun --container="$(image tiny.sqsh)" sh -c 'echo x >/x || echo x >/etc/x || echo x >/dev/x'
    failed
}

@test "row 38: nobody but root reaches Berth's sockets" {
    step_start srun --container="$(image tiny.sqsh)"
    local sockets=("$BERTH_W"/state/*) s
    ((${#sockets[@]} >= 2))
    [[ $(stat -c '%U %a' "$BERTH_W/state") == "root 700" ]]
    for s in "${sockets[@]}"; do
        [[ -S $s ]]
        run as alice python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])' "$s"
        fails
        has Permission
    done
    as alice scancel "${STEP%.*}"
    step_end
}

@test "row 38: a user with many steps of 64 mounts does not keep another from starting one" {
    local list i pids=()
    list=$(printf ',tmpfs:/m%d' {1..64})
    for ((i = 0; i < 12; i++)); do
        as alice srun -Q --container="$(image tiny.sqsh)" --container-mounts="${list:1}" sh -c 'sleep 2' 3>&- &
        pids+=($!)
    done
    run as bob srun --container="$(image_of bob tiny.sqsh)" cat /etc/os-release
    ok
    has IMAGE_ID=tiny
    for i in "${pids[@]}"; do wait "$i"; done
}
