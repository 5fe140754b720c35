#!/usr/bin/env bats
# shellcheck disable=SC2016 # what stands in '' is expanded in the step
# --container-mounts and what it may hold: files, directories, devices, tmpfs, the short form, flags; and where mounts
# may land. The defaults are in 30-defaults.bats, malformed values in 60-failures-input.bats.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# sources: SRC, a directory of alice's.
sources() {
    SRC=$(own alice src)
    as alice sh -c "cd $SRC && mkdir -p dir/sub && echo file >file && echo sub >dir/sub/f"
}

@test "a directory and a file, anywhere, the user's rights on them unchanged" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/dir:/mnt,$SRC/file:/opt/deep/er/file" -- \
        sh -c 'cat /mnt/sub/f /opt/deep/er/file; echo new >/mnt/new; echo more >>/opt/deep/er/file'
    ok
    is $'sub\nfile'
    [[ $(<"$SRC/dir/new") == new && $(<"$SRC/file") == $'file\nmore' ]]
}

@test "a source that is root's stays root's: it can be mounted, not read" {
    install -m 600 /dev/null "$(own alice root)/secret"
    inside tiny.sqsh --container-mounts="$BERTH_W/work/root/secret:/secret" -- sh -c 'ls -l /secret; cat /secret'
    fails 1
    has -rw-------
    [[ $stderr == *"/secret': Permission denied"* ]]
}

@test "over what the image has: a file, a directory, and what Berth puts into /etc" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/file:/etc/os-release,$SRC/dir:/etc/opt,$SRC/file:/etc/hosts" -- \
        cat /etc/os-release /etc/hosts /etc/opt/sub/f
    ok
    is $'file\nfile\nsub'
}

@test "a directory over a file and a file over a directory are refused" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/dir:/bin/busybox" -- true
    fails
    says "mount destination /bin/busybox: the source is a directory"
    inside tiny.sqsh --container-mounts="$SRC/file:/bin" -- true
    fails
    says "mount destination /bin: the source is a file"
}

@test "the short form: SRC alone is at the same path" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/dir,$SRC/file" -- cat "$SRC/dir/sub/f" "$SRC/file"
    is $'sub\nfile'
}

@test "a relative source is relative to where srun runs" {
    sources
    AS_CWD=$SRC/dir inside tiny.sqsh --container-mounts="sub:/a,./sub/f:/b,../file:/c,.:/d" -- cat /a/f /b /c /d/sub/f
    is $'sub\nsub\nfile\nsub'
    AS_CWD=$SRC/dir batch --container="$(image tiny.sqsh)" --container-mounts=../file:/c --wrap 'cat /c'
    is file
}

@test "names with spaces, and with escaped ':', ',' and '\\'" {
    sources
    as alice sh -c "cd $SRC && echo space >'a b' && echo colon >a:b && echo comma >a,b && echo back >'a\\b'"
    list="$SRC/a b:/to a/b c,$SRC/a\\:b:/a\\:b:ro,$SRC/a\\,b:/a\\,b,$SRC/a\\\\b:/a\\\\b"
    inside tiny.sqsh --container-mounts="$list" -- cat '/to a/b c' /a:b /a,b '/a\b'
    is $'space\ncolon\ncomma\nback'
}

@test "a symlink as source is followed, as the user" {
    sources
    as alice ln -s dir/sub/f "$SRC/link"
    inside tiny.sqsh --container-mounts="$SRC/link:/f" -- cat /f
    is sub
}

@test "a destination that the image has as a symlink lands where it leads, in the image" {
    sources
    links=$(variant links.sqsh 'mkdir target; ln -s /target absolute; ln -s ../../../target relative')
    inside "$links" --container-mounts="$SRC/file:/absolute/a,$SRC/dir:/relative" -- cat /target/sub/f
    ok
    is sub
    inside "$links" --container-mounts="$SRC/file:/absolute/a,$SRC/file:/relative/b" -- cat /target/a /target/b
    is $'file\nfile'
}

# some_device: one that no container has by default.
some_device() {
    for d in /dev/net/tun /dev/fuse /dev/kmsg /dev/tty0; do [[ -c $d ]] && echo "$d" && return; done
    return 1
}

@test "a device: SRC alone, a node of its own with the host's numbers and rights" {
    device=$(some_device)
    inside tiny.sqsh --container-mounts="/dev/null,$device" -- stat -c '%n %t:%T %a %u:%g' "$device" /dev/null
    ok
    is "$(stat -c '%n %t:%T %a %u:%g' "$device" /dev/null)"
    inside tiny.sqsh --container-mounts="$device:$device:rw" -- test -c "$device"
    ok
    inside tiny.sqsh -- test -e "$device"
    fails
}

@test "a device works only below /dev, and /dev takes nothing but devices" {
    sources
    inside tiny.sqsh --container-mounts="$(some_device):/opt/device" -- true
    fails
    says "a device works only below /dev"
    inside tiny.sqsh --container-mounts="$SRC/file:/dev/file" -- true
    fails
    says 'is in /dev'
}

@test "tmpfs: the user's, of the size and mode asked for, the step's own" {
    inside tiny.sqsh --container-mounts=tmpfs:/a,tmpfs:/b/c:size=1m+mode=700,tmpfs:/d:ro -- sh -c '
        stat -c "%n %a %U" /a /b/c; df -k /b/c | sed -n "s,.* 1024 .*,1 MiB,p"
        touch /a/x /b/c/x && ls /a /b/c; touch /d/x; dd if=/dev/zero of=/b/c/full bs=1M count=2 2>&1 | grep -o "No space left"'
    ok
    is $'/a 1777 berthalice\n/b/c 700 berthalice\n1 MiB\n/a:\nx\n\n/b/c:\nx\nNo space left'
    [[ $stderr == *"/d/x: Read-only file system"* ]]
    inside tiny.sqsh --container-mounts=tmpfs:/a -- ls /a
    is ''
}

@test "ro and rw" {
    sources
    inside tiny.sqsh --container-mounts="$SRC:/ro:ro,$SRC:/rw:rw,$SRC/file:/f:ro" -- sh -c 'touch /rw/new; touch /ro/no; echo x >/f'
    fails
    [[ -e $SRC/new && ! -e $SRC/no ]]
    [[ $(grep -c "Read-only file system" <<<"$stderr") == 2 ]]
}

@test "noexec: a program there cannot be run, on a bind or a tmpfs" {
    sources
    as alice sh -c "printf '#!/bin/sh\necho ran\n' >$SRC/prog && chmod 755 $SRC/prog"
    inside tiny.sqsh --container-mounts="$SRC:/a:noexec+ro,$SRC:/b,tmpfs:/t:noexec" -- \
        sh -c 'cat /a/file; /b/prog; cp /b/prog /t/prog; /a/prog; /t/prog; true'
    is $'file\nran'
    [[ $(grep -c "Permission denied" <<<"$stderr") == 2 ]]
}

@test "nofail: a source that is not there, or not the user's to reach, is left out" {
    sources
    private=$(own alice private)
    chown root: "$private" && chmod 700 "$private"
    list=$SRC/none:/a:nofail,$SRC/file/x:/b:ro+nofail,$private/x:/c:nofail
    inside tiny.sqsh --container-mounts="$list,$SRC:/d:nofail" -- \
        sh -c 'ls -d /a /b /c 2>/dev/null; cat /d/file'
    is file
    [[ -z $stderr ]]
    inside tiny.sqsh --container-mounts="$SRC/none:/a:ro" -- true
    fails
    says "mount source"
}

@test "flags joined by '+', in any order, pyxis's among them" {
    sources
    list=$SRC:/a:ro+rprivate,$SRC:/b:rslave+ro,$SRC:/c:bind+private+ro,$SRC:/d:unbindable+ro+nosuid
    inside tiny.sqsh --container-mounts="$list,$SRC:/e:rbind+nodev+ro+x-create=dir" -- \
        sh -c 'for d in a b c d e; do cat /$d/file; touch /$d/no; done; true'
    ok
    is $'file\nfile\nfile\nfile\nfile'
    [[ $(grep -c "Read-only file system" <<<"$stderr") == 5 ]]
}

@test "shared is refused: nothing may propagate to the host" {
    sources
    inside tiny.sqsh --container-mounts="$SRC:/a:rshared" -- true
    fails
    says "no mount may propagate to the host"
}

# mounted DIR: a tmpfs on it, with a file f; gone with the test.
mounted() {
    mount -t tmpfs -o size=64k "berth-test" "$1"
    echo submount >"$1/f"
}

@test "what is mounted below comes along, with bind as with rbind: nothing shows that a mount covers" {
    sources
    mounted "$SRC/dir/sub"
    inside tiny.sqsh --container-mounts="$SRC/dir:/default,$SRC/dir:/rbind:rbind,$SRC/dir:/bind:bind,$SRC/dir:/ro:ro" -- \
        sh -c 'cat /default/sub/f /rbind/sub/f /bind/sub/f; touch /ro/sub/no'
    umount "$SRC/dir/sub"
    is $'submount\nsubmount\nsubmount'
    [[ $stderr == *"/ro/sub/no: Read-only file system"* ]] || { echo "$stderr"; return 1; }
}

@test "slave: what the host mounts later appears; private, the default: it does not; never the other way" {
    sources
    mount --bind "$SRC" "$SRC"
    mount --make-shared "$SRC"
    background srun -w "$(node 1)" --container="$(image tiny.sqsh)" \
        --container-mounts="$SRC:/slave:rslave,$SRC:/private:rprivate,$SRC:/default" sh -c '
        touch /slave/started
        until [ -e /slave/dir/sub/submount ]; do sleep 0.1; done
        ls /private/dir/sub /default/dir/sub >/slave/seen'
    step_runs "$SRC/started"
    mounted "$SRC/dir/sub"
    touch "$SRC/dir/sub/submount"
    wait "$BACKGROUND" || { cat "$BATS_TEST_TMPDIR/background"; false; }
    BACKGROUND=
    umount "$SRC/dir/sub"
    run cat "$SRC/seen"
    umount "$SRC"
    is $'/default/dir/sub:\nf\n\n/private/dir/sub:\nf'
}

@test "mounts in mounts, in whatever order they are given" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/file:/a/x/f,tmpfs:/a,$SRC/dir:/a/y,tmpfs:/a/y/sub/deeper" -- cat /a/x/f /a/y/sub/f
    is $'file\nsub'
    inside tiny.sqsh --container-mounts="$SRC/file:/b/sub/f,$SRC/dir:/b" -- cat /b/sub/f
    is file
    [[ $(<"$SRC/dir/sub/f") == sub ]]
}

@test "a mount in the job's working directory" {
    sources
    AS_CWD=$SRC/dir inside tiny.sqsh --container-mounts="$SRC/file:$SRC/dir/sub/f" -- cat sub/f
    is file
}

@test "a mount point that another mount lacks is made by the user, or refused with the reason" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/dir:/a,$SRC/file:/a/made" -- cat /a/made
    is file
    [[ $(stat -c %U "$SRC/dir/made") == berthalice ]]
    inside tiny.sqsh --container-mounts="$SRC/dir:/a:ro,$SRC/file:/a/other" -- true
    fails
    says "mount destination /a/other lies in another mount, which lacks it"
}

@test "a mount over the home directory, the working directory and /tmp replaces them" {
    sources
    inside tiny.sqsh --container-mounts="$SRC/dir:/home/berthalice,$SRC/dir:/tmp" -- sh -c 'pwd; ls ~ /tmp'
    is $'/home/berthalice\n/home/berthalice:\nsub\n\n/tmp:\nsub'
}

@test "64 mounts" {
    sources
    list=$(printf "$SRC/file:/m/%d," {1..64})
    inside tiny.sqsh --container-mounts="${list%,}" -- sh -c 'ls /m | wc -l'
    ok
    is 64
}

@test "a source that this node lacks: one line" {
    inside tiny.sqsh --container-mounts=/nowhere/at/all:/a -- true
    fails
    says "mount source /nowhere/at/all: No such file or directory"
}
