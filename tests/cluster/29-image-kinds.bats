#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# An image's kind is what is in it, not what it is called; and an image that lacks what a container needs, or has
# something else in its place, works all the same.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# bare KIND: an image of that kind that has /bin and nothing else, not even /etc.
bare() {
    local img=$BERTH_IMAGES/bare.$1 dir=$BERTH_W/tools/bare.d
    [[ ! -e $img ]] || { echo "$img"; return; }
    variant bare.sqsh 'rm -rf etc' >/dev/null || return 1
    unsquashfs -q -n -d "$dir" "$BERTH_IMAGES/bare.sqsh" >/dev/null || return 1
    case $1 in
    erofs) pack "$dir" "$img" ;;
    sif) "$BERTH_TOP/tests/images/mksif" "$BERTH_IMAGES/bare.sqsh" "$img" ;;
    dir) cp -a "$dir" "$img" ;;
    bundle)
        mkdir "$img"
        cp -a "$dir" "$img/rootfs"
        echo '{ "ociVersion": "1.0.2", "root": { "path": "rootfs" } }' >"$img/config.json"
        ;;
    esac
    rm -rf "$dir"
    echo "$img"
}

KINDS=(sqsh erofs sif dir bundle)

@test "every kind under every other kind's name" {
    i=0
    for kind in "${KINDS[@]}"; do
        for as in sqsh erofs sif img; do
            name=$BERTH_IMAGES/named-$i.$as
            i=$((i + 1))
            mv "$(bare "$kind")" "$name"
            inside "$name" -- ls -d /bin
            mv "$name" "$BERTH_IMAGES/bare.$kind"
            ok
            is /bin
        done
    done
}

@test "a bundle's tmpfs: of the size and mode in config.json" {
    show='stat -c "%a %U" /srv/tmpfs; df -k /srv/tmpfs | sed -n "s,.* 1024 .*,1 MiB,p"'
    inside bundle -- sh -c "$show"
    ok
    is $'1777 berthalice\n1 MiB'
    dir=$(own alice odd)
    cp -a "$(image bundle)/." "$dir"
    sed -i 's/"size=1m"/"size=1024k", "mode=0750"/' "$dir/config.json"
    inside "$dir" -- sh -c "$show"
    ok
    is $'750 berthalice\n1 MiB'
    sed -i 's/"size=1024k"/"size=much"/' "$dir/config.json"
    inside "$dir" -- true
    fails
    says '"size=much" is not a size'
}

@test "a squashfs that says it is a SIF, and the like, by its first bytes is what it is" {
    img=$BERTH_IMAGES/foreign.sqsh
    for text in '#!/usr/bin/env run-singularity' 'QFI' 'not an image at all'; do
        printf '%s\n' "$text" >"$img"
        truncate -s 1M "$img"
        inside "$img" -- true
        fails
        says "$img"
    done
    rm "$img"
}

# whole IMAGE [CWD]: everything that a container has is there and works.
whole() {
    inside "$1" -- sh -c '
        for d in /proc/self/status /sys/kernel /dev/null /dev/pts /dev/shm /tmp /etc/passwd /etc/group /etc/hosts; do
            test -e $d || echo lacks $d
        done
        whoami; id -gn; pwd; echo x >/tmp/.berth-test-$SLURM_JOB_ID && rm /tmp/.berth-test-$SLURM_JOB_ID
        echo x >/dev/null && head -c 1 /dev/zero >/dev/shm/berth-$SLURM_JOB_ID && rm /dev/shm/berth-$SLURM_JOB_ID
        touch here-$SLURM_JOB_ID && rm here-$SLURM_JOB_ID
        touch /no 2>/dev/null && echo writable root
        true'
    ok
    silent
    is $'berthalice\nberthalice\n'"${2:-/home/berthalice}"
}

@test "an image without a single mount point, of every kind" {
    for kind in "${KINDS[@]}"; do whole "$(bare "$kind")"; done
}

# of_alice KIND
of_alice() {
    local dir
    dir=$(own alice mine)
    cp -a "$(bare "$1")" "$dir/img.$1"
    chown -R berthalice: "$dir/img.$1"
    whole "$dir/img.$1"
}

@test "the user's own, through FUSE and as a directory, which stays as it is" {
    for kind in sqsh sif dir; do of_alice "$kind"; done
    [[ $(ls "$BERTH_W/work/mine/img.dir") == bin ]]
}

@test "likewise an erofs" {
    [[ -x /usr/bin/erofsfuse ]] || skip "there is no erofsfuse here"
    of_alice erofs
}

@test "mount points that are symlinks, in the image and out of it" {
    img=$(variant strange.sqsh 'mkdir -p var/tmp usr/home usr/etc private; rm -rf etc
        ln -s var/tmp tmp; ln -s usr/home home; ln -s /usr/etc etc; cp bin/busybox private')
    whole "$img" /usr/home/berthalice
    inside "$img" -- sh -c 'ls -d /tmp/ /var/tmp/ /usr/home/berthalice; ls /usr/etc'
    ok
    is $'/tmp/\n/usr/home/berthalice\n/var/tmp/\ngroup\nhosts\npasswd\nresolv.conf'
}

@test "mount points that lead nowhere or are files: what can be done without is left out, and said" {
    img=$(variant files.sqsh 'rm -rf etc; echo file >home; echo file >etc; ln -s nowhere srv')
    AS_CWD=/tmp inside "$img" -- sh -c 'id -u; cat /home /etc'
    ok
    silent
    is "$(id -u berthalice)"$'\nfile\nfile'
    inside "$img" -- pwd
    ok
    is /
    says "the working directory /home/berthalice is not in the container: using /"
}

@test "/proc, /sys and /dev of an image are never its own" {
    img=$(variant system.sqsh 'mkdir -p proc/1 dev; echo forged >proc/version; ln -s /etc sys; echo forged >dev/null')
    inside "$img" -- sh -c 'grep -c forged /proc/version; ls /dev/null /sys/kernel >/dev/null && echo fine; cat /dev/null
        test -L /sys || echo directory'
    ok
    is $'0\nfine\ndirectory'
}

@test "a file of the image where a directory is needed: one line" {
    img=$(variant tmpfile.sqsh 'echo file >tmp')
    inside "$img" -- true
    fails
    says "mount destination /tmp"
}

@test "an image whose root the user cannot enter: one line" {
    img=$(variant locked.sqsh 'chmod 700 .')
    inside "$img" -- true
    fails
    says "$img"
}

@test "an image with old timestamps, long names and many layers of directories" {
    deep=$(printf 'd/%.0s' {1..60})
    img=$(variant deep.sqsh "mkdir -p $deep; cp bin/busybox $deep/$(printf 'n%.0s' {1..255}); touch -d 1971-01-01 bin")
    inside "$img" -- sh -c "/bin/busybox cmp /bin/busybox /$deep/nn* && echo same"
    ok
    is same
}

@test "squashfs and erofs of every compression, mounted by the kernel and through FUSE" {
    local dir=$BERTH_W/tools/comp.d img how
    install -d "$BERTH_W/tools"
    tree "$dir"
    marked "$dir" comp
    for how in gzip lzo lz4 xz zstd -zlz4 -zlz4hc -C65536; do
        img=$BERTH_IMAGES/comp.img
        rm -f "$img"
        case $how in
        -*) mkfs.erofs "$how" "$img" "$dir" >/dev/null 2>&1 || continue ;;
        *) mksquashfs "$dir" "$img" -comp "$how" -noappend -no-progress -quiet >/dev/null ;;
        esac
        inside "$img" -- cat /etc/os-release
        ok
        has IMAGE_ID=comp
        [[ $how != -* ]] || command -v erofsfuse >/dev/null || continue
        cp "$img" "$(own alice comp)/img"
        inside "$BERTH_W/work/comp/img" -- cat /etc/os-release
        ok
        has IMAGE_ID=comp
    done
    rm -rf "$dir" "$img"
}
