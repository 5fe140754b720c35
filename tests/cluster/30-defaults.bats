#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# What every container has unless it is told otherwise: /dev, /proc, /sys, /tmp, home, working directory, PMIx's
# directories, accounts, resolv.conf and hosts; and the plugstack argument that changes each.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# mounted DIR...: shell commands that say of each whether something is mounted there.
mounted() {
    local d
    for d; do printf 'grep -q " %s " /proc/self/mountinfo && echo "%s mounted" || echo "%s not"; ' "$d" "$d" "$d"; done
}

@test "/dev: these and no more, each of the kind and with the rights it has on the host" {
    inside tiny.sqsh -- sh -c 'cd /dev && ls; stat -c "%n %F %t:%T %a" null zero full random urandom tty
        for l in fd stdin stdout stderr; do readlink $l; done'
    ok
    is "$(printf '%s\n' fd full null ptmx pts random shm stderr stdin stdout tty urandom zero)
$(cd /dev && stat -c '%n %F %t:%T %a' null zero full random urandom tty)
/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2"
}

@test "/dev: its nodes, links and a new pseudo-terminal work" {
    inside base.sqsh -- bash -c 'echo in | cat /dev/stdin >/dev/stdout; echo err >/dev/stderr; cat < <(echo process)
        echo x >/dev/full || head -c 3 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; script -qec "tty" /dev/null'
    ok
    [[ $output == $'in\nprocess\n3\n4\n/dev/pts/'* ]] || { echo "$output"; return 1; }
    [[ $stderr == *err* && $stderr == *"No space left"* ]]
}

@test "devices=: more of the host's nodes; one that this node lacks is left out" {
    for device in /dev/net/tun /dev/fuse /dev/kmsg; do [[ ! -c $device ]] || break; done
    args "devices=$device,/dev/not-on-this-node,/dev/loop-control"
    inside tiny.sqsh -- stat -c '%n %t:%T %a' "$device"
    is "$(stat -c '%n %t:%T %a' "$device")"
    args "devices="
    inside tiny.sqsh -- test -e "$device"
    fails
}

@test "/proc is the node's, /sys read-only" {
    inside tiny.sqsh -- sh -c 'readlink /proc/self/ns/pid >/dev/null; test -d /proc/'"$(slurmd_pid)"' && echo node
        ls /sys/class/net; echo 1 >/sys/kernel/mm/ksm/run'
    is "node"$'\n'"$(ls /sys/class/net)"
    inside tiny.sqsh -- sh -c "$(mounted /proc /sys)"
    is $'/proc mounted\n/sys mounted'
    args mount_sys=no
    inside tiny.sqsh -- sh -c "$(mounted /proc /sys) ls /sys"
    is $'/proc mounted\n/sys not'
}

@test "/tmp and /dev/shm are the job's; mount_tmp=no" {
    for at in /tmp /dev/shm; do
        f=$at/berth-test.$BERTH_SLOT.$$
        as alice touch "$f"
        inside tiny.sqsh -- sh -c "ls $f && rm $f"
        is "$f"
        [[ ! -e $f ]]
    done
    args mount_tmp=no
    inside tiny.sqsh -- sh -c "$(mounted /tmp /dev/shm)"
    is $'/tmp not\n/dev/shm mounted'
    inside base.sqsh -- sh -c 'ls -a /tmp; touch /tmp/x'
    fails
    [[ $stderr == *"Read-only file system"* ]]
}

@test "the home: by default, the user's word, mount_home=no, the user's word again" {
    home=$(mounted /home/berthalice)
    AS_CWD=/tmp inside tiny.sqsh -- sh -c "$home echo \$HOME"
    is $'/home/berthalice mounted\n/home/berthalice'
    AS_CWD=/tmp inside tiny.sqsh --no-container-mount-home -- sh -c "$home echo \$HOME; ls -d ~"
    is $'/home/berthalice not\n/home/berthalice'
    args mount_home=no
    AS_CWD=/tmp inside tiny.sqsh -- sh -c "$home"
    is "/home/berthalice not"
    AS_CWD=/tmp inside tiny.sqsh --container-mount-home -- sh -c "$home"
    is "/home/berthalice mounted"
}

@test "mount_cwd=no: the step starts elsewhere, with one line" {
    dir=$(own alice cwd)
    AS_CWD=$dir inside tiny.sqsh -- pwd
    is "$dir"
    args mount_cwd=no
    AS_CWD=$dir inside tiny.sqsh -- sh -c 'pwd; cat /proc/self/mountinfo'
    ok
    [[ $output == /$'\n'* ]]
    hasnt " $dir "
    says "the working directory $dir is not in the container: using /"
    batch -D "$dir" --container="$(image tiny.sqsh)" --wrap pwd
    ok
    has "using /"
    AS_CWD=/home/berthalice inside tiny.sqsh -- pwd
    is /home/berthalice
}

@test "passwd and group have the user's line, in an image that knows nobody" {
    inside tiny.sqsh -- sh -c 'whoami; id -un; id -gn; echo ~; echo ~berthalice; cat /etc/passwd /etc/group'
    ok
    uid=$(id -u berthalice) gid=$(id -g berthalice)
    is "berthalice
berthalice
berthalice
/home/berthalice
/home/berthalice
berthalice:x:$uid:$gid::/home/berthalice:/bin/sh
berthalice:x:$gid:
berthgrp:x:$(getent group berthgrp | cut -d: -f3):"
    run as bob srun --container="$(image tiny.sqsh)" sh -c 'id -un; echo ~'
    is $'berthbob\n/home/berthbob'
}

@test "the image's own accounts stay, but for one of the user's name or number" {
    uid=$(id -u berthalice)
    img=$(variant accounts.sqsh "printf '%s\n' root:x:0: staff:x:50: >etc/group
        printf '%s\n' root:x:0:0:root:/root:/bin/sh berthalice:x:4444:1::/nowhere:/bin/false \
            other:x:$uid:$uid::/other:/bin/sh daemon:x:1:1:daemon:/:/bin/sh >etc/passwd")
    inside "$img" -- sh -c 'id -un; echo ~; grep -c . /etc/passwd; cut -d: -f1 /etc/passwd /etc/group'
    ok
    is $'berthalice\n/home/berthalice\n3\nroot\nberthalice\ndaemon\nroot\nstaff\nberthalice\nberthgrp'
    inside base.sqsh -- sh -c 'getent passwd berthalice root | cut -d: -f1,7'
    is $'berthalice:/bin/bash\nroot:/bin/bash'
}

@test "the user's further groups have names, too, where the node knows them" {
    for img in tiny.sqsh base.sqsh; do
        inside "$img" -- sh -c 'for g in $(id -Gn); do echo $g; done | sort; groups >/dev/null'
        ok
        silent
        is $'berthalice\nberthgrp'
    done
    inside base.sqsh -- getent group berthgrp
    is "berthgrp:x:$(getent group berthgrp | cut -d: -f3):"
}

@test "account=no: the image's files as they are" {
    args account=no
    inside tiny.sqsh -- sh -c 'ls /etc; echo ~; id -un >/dev/null'
    fails
    is "$(printf '%s\n' hosts os-release resolv.conf /home/berthalice)"
    [[ $stderr == *"unknown"* ]]
}

@test "resolv.conf and hosts are the node's; resolv=no" {
    img=$(variant resolv.sqsh 'ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf; echo image >etc/hosts')
    inside "$img" -- cat /etc/resolv.conf /etc/hosts
    ok
    is "$(cat /etc/resolv.conf /etc/hosts)"
    args resolv=no
    inside "$img" -- sh -c 'cat /etc/hosts; test -e /etc/resolv.conf || echo dangling'
    is $'image\ndangling'
}

@test "PMIx's directories; pmix=no" {
    needs_mpi pmix
    inside tiny.sqsh --mpi=pmix -- sh -c 'ls -d "$PMIX_SERVER_TMPDIR" && grep -c "pmix" /proc/self/mountinfo'
    ok
    [[ $output == *pmix*$'\n1' ]] || { echo "$output"; return 1; }
    args pmix=no
    inside tiny.sqsh --mpi=pmix -- sh -c 'test -e "$PMIX_SERVER_TMPDIR" || echo none'
    is none
}

@test "mounts=: the site's, in every container, with flags; the user's own may cover them" {
    dir=$(own alice site)
    echo site >"$dir/file"
    args "mounts=$dir:/site:ro,$dir/file:/opt/site/file,tmpfs:/scratch:size=1m"
    inside tiny.sqsh -- sh -c "cat /site/file /opt/site/file; touch /scratch/x; touch /site/no; $(mounted /scratch)"
    is $'site\nsite\n/scratch mounted'
    [[ $stderr == *"/site/no: Read-only file system"* ]]
    mkdir "$dir/user"
    inside tiny.sqsh --container-mounts="$dir/user:/site" -- ls /site /opt/site
    is $'/opt/site:\nfile\n\n/site:'
    inside tiny.sqsh --container-mounts="$dir/user:/opt" -- sh -c 'ls /opt; cat /site/file'
    is site
}

@test "mounts= of a source that is not there: one line" {
    args mounts=/not/on/this/node:/site
    inside tiny.sqsh -- true
    fails
    says "/not/on/this/node"
}

@test "deny=: what no user may bind, home and working directory included" {
    dir=$(own alice denied)
    mkdir "$dir/inner"
    args "deny=$dir"
    for source in "$dir" "$dir/inner"; do
        inside tiny.sqsh --container-mounts="$source:/mnt" -- true
        fails
        says "mount source $source: the administrator excludes it (deny=)"
    done
    AS_CWD=$dir/inner inside tiny.sqsh -- pwd
    ok
    is /
    says "using /"
    args deny=/home
    AS_CWD=/tmp inside tiny.sqsh -- sh -c "$(mounted /home/berthalice)"
    is "/home/berthalice not"
}

@test "writable=, tmpfs_size=, and the user's word on both" {
    args writable=yes tmpfs_size=1m
    inside tiny.sqsh -- sh -c 'echo x >/new && cat /new; dd if=/dev/zero of=/big bs=1M count=2'
    is x
    [[ $stderr == *"No space left"* ]]
    inside tiny.sqsh --container-mounts=tmpfs:/t:size=1g -- sh -c "df -k /t | awk '/t\$/ { print \$2 }'"
    is 1024
    inside tiny.sqsh --container-readonly -- touch /new
    fails
    args
    inside tiny.sqsh -- touch /new
    fails
    inside tiny.sqsh --container-writable -- touch /new
    ok
}

@test "remap_root=: only where the site allows it" {
    inside tiny.sqsh --container-remap-root -- true
    fails
    says "the administrator has not allowed it"
    args remap_root=yes
    inside tiny.sqsh -- id -u
    is "$(id -u berthalice)"
    inside tiny.sqsh --container-remap-root -- \
        sh -c 'id -u; id -g; whoami; echo ~root; touch ~/as-root && stat -c %u ~/as-root && rm ~/as-root'
    ok
    is $'0\n0\nroot\n/home/berthalice\n0'
    inside tiny.sqsh --container-remap-root --no-container-remap-root -- id -u
    is "$(id -u berthalice)"
}
