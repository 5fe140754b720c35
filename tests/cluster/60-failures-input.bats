#!/usr/bin/env bats
# Bad input: one line to the user, a failed step, a node that stays as it was, and the command runs nowhere.
#
# FAULTS_FLIPS, FAULTS_CUTS (default 6): images with a flipped bit, and cut at a point, of each kind.

# shellcheck disable=SC2154 # said: from faults.bash
load common
load rows
load faults
NEEDS_PLUGIN=yes

# ---- images ----

@test "image missing" {
    bystander
    refused "$HOLD/none.sqsh: no such file" --container="$HOLD/none.sqsh"
    refused "$HOLD/none.sqsh: no such file" --container-image=none.sqsh
    bystander_ends
}

@test "image missing: the interactive step of salloc" {
    local out
    out=$(as alice script -qec "salloc --container=$HOLD/none.sqsh" /dev/null <<<"touch $RAN" | tr -d '\r') || :
    one_line "$HOLD/none.sqsh: no such file" "$out"
    nowhere
}

@test "image missing: sbatch --wait says that the job failed" {
    try sbatch --wait --output="$HOLD/job.log" --container="$HOLD/none.sqsh" --wrap "touch $RAN"
    failed
    one_line "$HOLD/none.sqsh: no such file" "$(<"$HOLD/job.log")"
    nowhere
}

@test "image missing: two nodes say it, once each" {
    try srun -N2 --ntasks-per-node=8 --container="$HOLD/none.sqsh" touch "$RAN"
    failed
    [[ $(grep -c '^berth: ' <<<"$said") == 2 ]]
    one_line none.sqsh "$(grep "^berth: $(node 1): " <<<"$said")"
    one_line none.sqsh "$(grep "^berth: $(node 2): " <<<"$said")"
    nowhere
}

@test "image unreadable" {
    put tiny.sqsh "$HOLD/closed.sqsh" alice
    chmod 000 "$HOLD/closed.sqsh"
    refused "closed.sqsh: not readable by you" --container="$HOLD/closed.sqsh"
    put tiny.sqsh "$BERTH_IMAGES/closed.sqsh"
    chmod 600 "$BERTH_IMAGES/closed.sqsh"
    refused_srun "closed.sqsh: not readable by you" --container="$BERTH_IMAGES/closed.sqsh"
    rm "$BERTH_IMAGES/closed.sqsh"
    chmod 700 "$(own bob closed)"
    put tiny.sqsh "$BERTH_W/work/closed/img.sqsh"
    refused_srun "img.sqsh: not readable by you" --container="$BERTH_W/work/closed/img.sqsh"
}

@test "image empty" {
    : >"$HOLD/empty.sqsh"
    refused "empty.sqsh: is empty" --container="$HOLD/empty.sqsh"
    : >"$BERTH_IMAGES/empty.erofs"
    refused_srun "empty.erofs: is empty" --container="$BERTH_IMAGES/empty.erofs"
    rm "$BERTH_IMAGES/empty.erofs"
}

@test "image truncated" {
    local kind size n
    bystander
    for kind in tiny.sqsh base.erofs base.sif; do
        put "$kind" "$HOLD/cut.$kind" alice
        size=$(stat -c %s "$HOLD/cut.$kind")
        for ((n = ${FAULTS_CUTS:-6}; n > 0; n--)); do
            truncate -s $((size * n / (${FAULTS_CUTS:-6} + 1))) "$HOLD/cut.$kind"
            refused_srun "cut.$kind: is cut short" --container="$HOLD/cut.$kind"
        done
        truncate -s 60 "$HOLD/cut.$kind"
        refused_srun "cut.$kind" --container="$HOLD/cut.$kind"
    done
    refused "cut.tiny.sqsh: is cut short" --container="$HOLD/cut.tiny.sqsh"
    bystander_ends
}

@test "image truncated, the site's own" {
    put base.erofs "$BERTH_IMAGES/cut.erofs"
    truncate -s 1M "$BERTH_IMAGES/cut.erofs"
    refused "cut.erofs: is cut short" --container="$BERTH_IMAGES/cut.erofs"
    rm "$BERTH_IMAGES/cut.erofs"
}

# damage FILE SEED: zeros 512 bytes of the second half, where squashfs has its tables, beyond what Berth looks at.
damage() {
    local size
    size=$(stat -c %s "$1")
    dd if=/dev/zero of="$1" bs=512 count=1 seek=$((size / 1024 + $2 * size / 2 / 1024 / 20)) conv=notrunc status=none
}

@test "image damaged where only its file system notices" {
    local n
    for ((n = 1; n <= ${FAULTS_FLIPS:-6}; n++)); do
        put tiny.sqsh "$HOLD/bad.sqsh" alice
        damage "$HOLD/bad.sqsh" "$n"
        # What is damaged may be a file that nobody reads; what counts is that nothing runs on the host.
        try srun --container="$HOLD/bad.sqsh" sh -c '! test -e /etc/debian_version'
        ((status == 0)) || [[ $said == *"berth: "* || $said == *execve* ]]
        nodes_sound
    done
    put tiny.sqsh "$HOLD/bad.sqsh" alice
    dd if=/dev/zero of="$HOLD/bad.sqsh" bs=1 seek=64 count=8 conv=notrunc status=none
    refused "bad.sqsh" --container="$HOLD/bad.sqsh"
    cp "$HOLD/bad.sqsh" "$BERTH_IMAGES/bad.sqsh"
    refused "bad.sqsh: the kernel refuses it" --container="$BERTH_IMAGES/bad.sqsh"
    rm "$BERTH_IMAGES/bad.sqsh"
}

@test "image of a wrong kind" {
    bystander
    echo text >"$HOLD/text"
    refused "text: is a text file" --container="$HOLD/text"
    head -c 8192 /dev/zero >"$HOLD/zeros"
    refused_srun "zeros: is no image" --container="$HOLD/zeros"
    cp /bin/true "$HOLD/elf"
    refused_srun "elf: is an ELF program" --container="$HOLD/elf"
    tar -C / -czf "$HOLD/tgz" etc/passwd
    refused_srun "tgz: is gzip data" --container="$HOLD/tgz"
    truncate -s 4M "$HOLD/ext4"
    mkfs.ext4 -q -F "$HOLD/ext4"
    refused_srun "ext4: is an ext2, ext3 or ext4" --container="$HOLD/ext4"
    mkfifo -m 644 "$HOLD/fifo"
    refused "fifo: is a named pipe" --container="$HOLD/fifo"
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$HOLD/sock"
    chmod 777 "$HOLD/sock"
    refused_srun "$HOLD/sock" --container="$HOLD/sock"
    refused_srun "/dev/null: is a character device" --container=/dev/null
    refused_srun "/proc/self/mem" --container=/proc/self/mem
    bystander_ends
}

@test "a site's image of a wrong kind" {
    echo text >"$BERTH_IMAGES/text"
    refused "text: is a text file" --container="$BERTH_IMAGES/text"
    rm "$BERTH_IMAGES/text"
}

@test "an image in a loop of links, and one with too long a name" {
    ln -s loop "$HOLD/loop"
    refused_srun "$HOLD/loop" --container="$HOLD/loop"
    refused_srun "name too long" --container="$HOLD/$(printf 'n%.0s' {1..300})" ||
        refused_srun "too long" --container="$HOLD/$(printf 'n%.0s' {1..300})"
}

# no_command OPTION...: the command is not in the image, and only Slurm knows that.
no_command() {
    try srun "$@" "$HOLD/../nothing" || :
    try srun "$@" nothing-of-that-name
    failed
    [[ $said == *"nothing-of-that-name: No such file or directory"* ]]
    batch "$@" --wrap "touch $RAN"
    failed
    nowhere
}

@test "a directory without the command" {
    mkdir "$HOLD/root"
    no_command --container="$HOLD/root"
    install -d "$BERTH_IMAGES/hollow"
    no_command --container="$BERTH_IMAGES/hollow"
    rmdir "$BERTH_IMAGES/hollow"
}

@test "an OCI bundle that is broken" {
    mkdir "$HOLD/oci"
    : >"$HOLD/oci/config.json"
    refused "config.json" --container="$HOLD/oci"
    echo '{"root":{"path":"nowhere"}}' >"$HOLD/oci/config.json"
    refused_srun "nowhere" --container="$HOLD/oci"
    head -c 3000000 /dev/zero | tr '\0' '[' >"$HOLD/oci/config.json"
    refused_srun "config.json" --container="$HOLD/oci"
}

# ---- options ----

# bad_options TEXT OPTION...: each is refused for an image that is all right.
bad_options() {
    local text=$1 o
    shift
    for o; do refused "$text" --container="$(image tiny.sqsh)" "$o" || return 1; done
}

@test "options malformed: --container-mounts" {
    bad_options "--container-mounts" --container-mounts=:
    local o
    for o in relative /a: /a:/b:c:d /a:/b:bogus /a:/b:ro+rw umount:/x tmpfs tmpfs:/x:size=big tmpfs:/x:mode=9 \
        ",/etc:/x" "/etc:/x,," /etc:; do
        refused_srun "" --container="$(image tiny.sqsh)" --container-mounts="$o" || return 1
    done
    refused "/nonexistent" --container="$(image tiny.sqsh)" --container-mounts=/nonexistent:/x
}

@test "options malformed: the others" {
    bystander
    bad_options "relative is not an absolute path" --container-workdir=relative
    bad_options "no such directory in the container" --container-workdir=/nonexistent
    bad_options "is not a list of names" --container-env=A=B
    bad_options "is unknown" --container-unshare=pid
    refused "is not a step" --container-join=one
    for step in 99999 99999.batch; do
        refused_srun "no running step" --container-join="$step"
        refused_salloc "no running step" --container-join="$step"
        refused_sbatch "does not have your batch script" --container-join="$step"
    done
    bad_options "administrator has not allowed" --container-remap-root
    bystander_ends
}

@test "options malformed: every spelling, srun" {
    local o
    for o in --container-workdir=a/.. "--container-env=," --container-env=1A "--container-env=A,,B" --container-env=A- \
        "--container-unshare=," "--container-unshare=net," --container-unshare=NET --container-join=0x1 --container-join=1.2.3 \
        --container-join=-1 --container-join=4294967295 --container-join=. --container-join=..; do
        refused_srun "" --container="$(image tiny.sqsh)" "$o" || return 1
    done
}

@test "options malformed: --usnic" {
    local o
    refused 'expected N, count=' --usnic=bogus
    refused 'a number of VFs from 1 to 64' --usnic=65
    for o in 0 1.5 count= per=rank "device=$(printf 'n%.0s' {1..256})" policy=near rail=0 wait=86401 explain=yes none,1 1,count=2 \
        "," "1,,2" usnic_0; do
        refused_srun "--usnic" "--usnic=$o" || return 1
        [[ $said == *"--usnic=help explains"* || $said == *'"none" stands alone'* ]] || { echo "$said"; return 1; }
    done
    for o in bogus 65 1,1; do
        try env BERTH_USNIC="$o" srun touch "$RAN"
        { failed && one_line BERTH_USNIC && nowhere; } || { because "$o"; return 1; }
    done
}

@test "options malformed: in the environment" {
    local v
    for v in MOUNTS=/a:b WORKDIR=a ENV=1 UNSHARE=all WRITABLE=perhaps MOUNT_HOME=maybe REMAP_ROOT=2; do
        try env "BERTH_CONTAINER_$v" srun --container="$(image tiny.sqsh)" touch "$RAN"
        { failed && one_line "BERTH_CONTAINER_" && nowhere; } || { because "$v"; return 1; }
    done
    try env BERTH_CONTAINER_IMAGE=/nonexistent srun touch "$RAN"
    failed
    one_line /nonexistent
    nowhere
}

@test "row 12: options over-long: srun, sbatch and salloc" {
    local long o
    long=$(head -c 120000 /dev/zero | tr '\0' x) # an argument can have 128 KiB
    for o in mounts workdir env unshare; do
        bad_options "longer than" "--container-$o=/$long"
    done
    refused "longer than" "--container=/$long"
    refused "longer than" "--container-image=/$long"
    refused "longer than" "--container-join=$long"
    refused "longer than" "--usnic=device=$long"
}

@test "row 12: options over-long: 200 kB in #SBATCH lines" {
    local long o
    long=$(head -c 200000 /dev/zero | tr '\0' x)
    for o in mounts workdir env unshare image join; do
        printf '#!/bin/sh\n#SBATCH --container-%s=/%s\ntouch %s\n' "$o" "$long" "$RAN" >"$HOLD/job.sh"
        batch --container="$(image tiny.sqsh)" "$HOLD/job.sh"
        { failed && one_line "longer than" "$said"$'\n'"$output" && nowhere; } || { because "$o"; return 1; }
    done
    # From 128 KiB on sbatch itself drops its own option, says so, and goes on: nobody else ever sees it.
    printf '#!/bin/sh\n#SBATCH --container=/%s\ntouch %s\n' "${long:0:120000}" "$RAN" >"$HOLD/job.sh"
    batch "$HOLD/job.sh"
    failed
    one_line "longer than" "$said"$'\n'"$output"
    nowhere
}

@test "row 12: options over-long: in the environment" {
    local long o
    long=$(head -c 120000 /dev/zero | tr '\0' x)
    for o in MOUNTS WORKDIR ENV UNSHARE IMAGE JOIN; do
        try env "BERTH_CONTAINER_$o=/$long" srun --container="$(image tiny.sqsh)" touch "$RAN"
        { failed && one_line "longer than" && nowhere; } || { because "$o"; return 1; }
    done
    try env "SLURM_CONTAINER=/$long" srun touch "$RAN"
    failed
    one_line "longer than"
    nowhere
}

@test "options with control characters" {
    local o c
    bystander
    for c in $'\n' $'\e[31m' $'\177' $'\r' $'\1'; do
        for o in mounts=/etc:/x workdir=/x env=A unshare=net image=/x; do
            refused_srun "control character" --container="$(image tiny.sqsh)" "--container-$o$c" || return 1
        done
        refused_srun "control character" --container="/x$c" || return 1
        refused_srun "control character" --usnic="1$c" || return 1
    done
    refused "control character" --container=$'/x\e]0;title\a'
    refused "control character" --container-join=$'1\n2'
    bystander_ends
}

@test "names with control characters in what the user's files say" {
    mkdir "$HOLD/oci"
    printf '{"root":{"path":"a\\nberth: forged\\u001b[2J"}}' >"$HOLD/oci/config.json"
    refused "$HOLD/oci" --container="$HOLD/oci"
    ln -s $'/x\nberth: forged' "$HOLD/link.sqsh"
    refused_srun link.sqsh --container="$HOLD/link.sqsh"
}

# A user's own srun need not load the plugin: then nothing has looked at the options before the node does.
bare_srun() {
    local dir=$BERTH_W/work/bare
    install -d "$dir"
    sed "s|^PlugStackConfig=.*|PlugStackConfig=$dir/plugstack.conf|" "$SLURM_CONF" >"$dir/slurm.conf"
    cp "$BERTH_W/conf/cgroup.conf" "$dir"
    : >"$dir/plugstack.conf"
    chmod -R a+rX "$dir"
    try env SLURM_CONF="$dir/slurm.conf" "$@"
}

@test "options that no submit side has looked at" {
    local long v t
    long=$(head -c 120000 /dev/zero | tr '\0' x)
    t=SLURM_BERTH_CONTAINER_IMAGE=$(image tiny.sqsh)
    bystander
    for v in IMAGE=relative IMAGE="/$long" IMAGE=$'/a\nb' MOUNTS="$long" MOUNTS=$'/etc:/x\n' MOUNTS=/etc:../x \
        MOUNTS=relative:/x MOUNTS=/etc:/proc/x WORKDIR=relative WORKDIR="/$long" ENV=1 ENV="$long" UNSHARE=pid \
        UNSHARE="$long" WRITABLE=perhaps REMAP_ROOT=yes JOIN=x JOIN="$long"; do
        bare_srun "$t" "SLURM_BERTH_CONTAINER_$v" srun touch "$RAN"
        { failed && one_line "$(node 1): " && nowhere; } || { because "$v"; return 1; }
    done
    for v in image=relative "image=/$long" mounts=/etc:../x; do
        bare_srun "$t" "_SLURM_SPANK_OPTION_berth_container_$v" srun touch "$RAN"
        # the other word, which is sound, may be the one that counts
        ((status == 0)) || one_line "$(node 1): " || { because "$v"; return 1; }
        rm -f "$RAN"
    done
    bystander_ends
}

# ---- destinations ----

@test "destinations that climb out, or lie in what is the container's own" {
    local d
    for d in ../x /../x /a/../../x .. /.. . / //; do
        refused_srun "" --container="$(image tiny.sqsh)" --container-mounts="/etc:$d" || return 1
    done
    for d in /proc /proc/self /proc/sys/kernel /sys /sys/fs/cgroup /dev /dev/shm /dev/pts //proc/x /./sys; do
        refused_srun "" --container="$(image tiny.sqsh)" --container-mounts="/etc:$d" || return 1
    done
    refused "../x" --container="$(image tiny.sqsh)" --container-mounts=/etc:../x
    refused "/proc" --container="$(image tiny.sqsh)" --container-mounts=/etc:/proc/x
}

@test "destinations that are a link in the image" {
    local before
    tree "$HOLD/root"
    mkdir -p "$HOLD/root/proc" "$HOLD/root/dev/shm" "$HOLD/root/sys/kernel"
    ln -s /proc "$HOLD/root/toproc"
    ln -s ../../../../../../../dev/shm "$HOLD/root/toshm"
    ln -s /sys/kernel "$HOLD/root/tosys"
    ln -s ../../../../../../../../etc "$HOLD/root/out"
    chown -hR berthalice: "$HOLD/root"
    mkdir "$HOLD/src"
    chown berthalice: "$HOLD/src"
    echo mine >"$HOLD/src/mine"
    before=$(find /etc -xdev -printf '%p %y %i %T@\n' | sha256sum)
    refused "toproc" --container="$HOLD/root" --container-mounts="$HOLD/src:/toproc"
    refused_srun "toshm" --container="$HOLD/root" --container-mounts="$HOLD/src:/toshm"
    refused_srun "tosys" --container="$HOLD/root" --container-mounts="$HOLD/src:/tosys"
    # Inside its own root a link may lead where it wants: there is no way out of that.
    try srun --container="$HOLD/root" --container-mounts="$HOLD/src:/out" cat /etc/mine
    worked
    [[ $output == mine ]]
    [[ $(find /etc -xdev -printf '%p %y %i %T@\n' | sha256sum) == "$before" ]]
    [[ ! -e /etc/mine ]]
}

@test "65 mounts" {
    local list
    mkdir "$HOLD/src"
    list=$(printf ",$HOLD/src:/m%d" {1..65})
    refused "at most 64" --container="$(image tiny.sqsh)" --container-mounts="${list:1}"
    list=$(printf ',tmpfs:/m%d' {1..64})
    try srun --container="$(image tiny.sqsh)" --container-mounts="${list:1}" sh -c 'grep -c " /m[0-9]* " /proc/self/mountinfo'
    worked
    [[ $output == 64 ]]
}
