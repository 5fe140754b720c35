#!/usr/bin/env bats
# What a task has of its host, and what it and its user can do to Berth's own processes: rows 7, 8, 9, 11 and 12 of
# the threat table.

load common
load rows
NEEDS_PLUGIN=yes

# refused TEXT: a failed step, one line, which holds TEXT.
refused() {
    fails
    one_berth_line
    has "$1"
}

# with_inside: prints an image that has tools/inside as /bin/inside.
with_inside() {
    local me
    me=$(tool inside)
    trap_image inside.sqsh "install -m 755 $me bin/inside"
}

# ---- row 7: descriptors and the working directory ----

@test "row 7: no descriptor beyond 0, 1 and 2; of PMI's kind one socket" {
    img=$(with_inside)
    for mpi in none pmix; do
        [[ $mpi == none ]] || as alice srun --mpi=list 2>&1 | grep -qw "$mpi" || continue # sid's Slurm has none
        run in_image "$img" -n4 --mpi=$mpi -- inside fds
        ok
        lines 4
        only "cwd /home/berthalice inside"
    done
    run in_image "$img" -n4 --mpi=pmi2 -- inside fds
    ok
    only "cwd /home/berthalice inside|[0-9]+ socket:.*"
    lines 8
    for how in --container-writable --container-unshare=net,ipc,uts --container-mounts=tmpfs:/mnt; do
        run in_image "$img" "$how" -- inside fds
        matches "cwd /home/berthalice inside"
    done
}

@test "row 7: nor in a batch script, an interactive step, a step that joins, and through FUSE" {
    img=$(with_inside)
    run batch alice --output="row7.$BERTH_SLOT" --container="$img" --wrap "exec inside fds"
    ok
    run as alice cat "row7.$BERTH_SLOT"
    matches "cwd /home/berthalice inside"
    # shellcheck disable=SC2016 # expanded in the job
    run as alice salloc srun --container="$img" sh -c 'inside fds; echo end'
    has $'cwd /home/berthalice inside\nend'
    # shellcheck disable=SC2016 # expanded in the job
    run as alice salloc -N1 -n2 sh -c 'srun -n1 --overlap --container="$0" sh -c "touch up.$1; while [ -e up.$1 ]; do usleep 100000; done" "$0" "$1" & \
        until [ -e up.$1 ]; do sleep 0.1; done; srun -n1 --overlap --container-join=0 inside fds; rm up.$1; wait' "$img" "$BERTH_SLOT"
    run grep -v '^salloc' <<<"$output"
    matches "cwd /home/berthalice inside"
    chown berthalice "$img"
    run in_image "$img" inside fds
    matches "cwd /home/berthalice inside"
}

@test "row 7: the working directory by a magic link" {
    img=$(with_inside)
    for n in 0 1 2 3 4 5 6 7 8 9 10 12 16 64; do
        run in_image "$img" --container-workdir="/proc/self/fd/$n" -- inside fds
        refused "no such directory in the container"
    done
    for to in /proc/1/cwd /proc/1/root /proc/self/root /proc/self/cwd /proc/self/cwd/../.. /proc/self/task/1/cwd \
        /proc/self/root/etc "/proc/$(slurmd_pid)/cwd" /dev/fd/3 /dev/stdin; do
        run in_image "$img" --container-workdir="$to" -- inside fds
        refused "no such directory in the container"
    done
}

@test "row 7: the job's own working directory is a magic link, or was moved" {
    img=$(with_inside)
    dir=$(own alice cwd)
    for to in /proc/self/fd/3 /proc/self/fd/7 /proc/1/cwd /proc/self/root /proc/self/cwd; do
        AS_CWD=/ run in_image "$img" -D "$to" -- inside fds
        [[ $status != 0 ]] || { has " inside"; hasnt " outside"; }
    done
    as alice mkdir -p "$dir/a/b"
    # shellcheck disable=SC2016 # expanded in the job
    AS_CWD=$dir/a/b run batch alice --output="/home/berthalice/row7.$BERTH_SLOT" -D "$dir/a/b" --wrap \
        "mv $dir/a $dir/c; srun --container=$img inside fds"
    run as alice cat "row7.$BERTH_SLOT"
    matches "cwd $dir/c/b inside"
    # an OCI bundle says where to start, too
    install -d "$BERTH_IMAGES/trap-bundle"
    tree "$BERTH_IMAGES/trap-bundle/rootfs"
    install "$(tool inside)" "$BERTH_IMAGES/trap-bundle/rootfs/bin/"
    mkdir -p "$BERTH_IMAGES"/trap-bundle/rootfs/srv/{work,tmpfs}
    for to in /proc/self/fd/7 /proc/1/root ../../../../.. /proc/self/cwd/..; do
        sed "s#\"cwd\": \"/srv/work\"#\"cwd\": \"$to\"#" "$BERTH_TOP/tests/images/config.json" >"$BERTH_IMAGES/trap-bundle/config.json"
        grep -qF "\"$to\"" "$BERTH_IMAGES/trap-bundle/config.json"
        AS_CWD=/var run in_image "$BERTH_IMAGES/trap-bundle" -- inside fds
        [[ $status != 0 ]] || { has " inside"; hasnt " outside"; }
    done
}

# Processes that have become the user still hold what root gave them, and wait for the helper's next word.
@test "row 7: the user cannot look into the processes that work for him" {
    cat >"$BATS_TEST_TMPDIR/look" <<'END'
as_alice() { setpriv --reuid=berthalice --regid=berthalice --init-groups "$@" 2>/dev/null; }
n=0
for p in $(pgrep -P "$PID" -u berthalice); do
    n=$((n + 1))
    for f in fd map_files ns; do as_alice ls -l "/proc/$p/$f/" && echo "$f can be seen"; done
    for f in exe root cwd; do as_alice readlink "/proc/$p/$f" && echo "$f can be seen"; done
    for f in maps environ auxv; do as_alice cat "/proc/$p/$f" | grep -q . && echo "$f can be seen"; done
    as_alice strace -qq -o /dev/null -e trace=none -p "$p" && echo "can be traced"
done
echo "looked at $n"
END
    for img in "$(image tiny.sqsh)" "$(image base)"; do
        run drive alice -i "$img" -c /home/berthalice -s CWD "sh $BATS_TEST_TMPDIR/look"
        has joined
        hasnt "can be"
        has "looked at 1"
    done
}

# ---- row 8: the host's programs through /proc/PID/exe ----

programs() {
    sha256sum "$BERTH_PREFIX"/libexec/berth/* "$BERTH_PREFIX/lib/slurm/berth.so" "$(command -v slurmd)" \
        "$(command -v squashfuse_ll)"
}

# With them programs of the host that run as the user: a bundle's config.json is read by one, a FUSE server is one.
# ROWS_ROUNDS=100 for 1,000 joins.
@test "row 8: tasks try to open every /proc/PID/exe for writing, while steps start and join" {
    img=$(with_inside)
    programs >"$BATS_TEST_TMPDIR/programs"
    secs=$((2 + ROUNDS))
    # shellcheck disable=SC2016 # expanded in the job
    run as alice salloc -N1 -n4 sh -c '
        srun -n2 --overlap --container="$0" sh -c "touch up.$1; exec inside exes $2" "$0" "$1" "$2" &
        until [ -e up.$1 ]; do sleep 0.1; done
        rm up.$1
        n=0
        while [ $n -lt $3 ]; do
            srun -Q -n1 --overlap --container-join=0 true
            srun -Q -n1 --overlap --container="$4" true
            srun -Q -n1 --overlap --container="$5" true
            n=$((n + 1))
        done
        wait' "$img" "$BERTH_SLOT" "$secs" $((10 * ROUNDS)) "$(image bundle)" "$(image_of alice tiny.sqsh)"
    ok
    hasnt opened
    [[ $(sed -n 's/^tried //p' <<<"$output" | sort -n | head -n 1) -gt 1000 ]]
    programs | diff "$BATS_TEST_TMPDIR/programs" -
}

# ---- row 9: who the task is, and what if the change fails ----

# shellcheck disable=SC2016 # for sed
STATUS='/^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):/p'

@test "row 9: ids, groups, capabilities and no_new_privs in the container" {
    plain=$(as alice srun sed -nE "$STATUS" /proc/self/status)
    for img in "$(image tiny.sqsh)" "$(image base.erofs)" "$(image base)" "$(image_of alice tiny.sqsh)"; do
        for how in "" --container-writable "--container-unshare=net,ipc,uts"; do
            # shellcheck disable=SC2086 # a word or none
            run in_image "$img" $how -- sed -nE "$STATUS" /proc/self/status
            ok
            diff <(grep -E '^(Uid|Gid|Groups):' <<<"$plain") <(grep -E '^(Uid|Gid|Groups):' <<<"$output")
            for set in CapInh CapPrm CapEff CapBnd CapAmb; do has "$set:	0000000000000000"; done
            has "NoNewPrivs:	1"
        done
    done
}

@test "row 9: the same in a batch script, an interactive step, a joined step, and for root" {
    img=$(image tiny.sqsh)
    cat >"$BATS_TEST_TMPDIR/none" <<'END'
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
END
    local caps='/^(Cap...|NoNewPrivs):/p' out=row9.$BERTH_SLOT
    batch alice --output="$out" --container="$img" --wrap "sed -nE '$caps' /proc/self/status"
    as alice cat "$out" | diff "$BATS_TEST_TMPDIR/none" -
    # shellcheck disable=SC2016 # expanded in the job
    as alice salloc -Q -N1 -n2 sh -c 'srun -n1 --overlap --container="$0" sh -c "touch up.$1; while [ -e up.$1 ]; do usleep 100000; done" "$0" "$1" &
        until [ -e up.$1 ]; do sleep 0.1; done; srun -n1 --overlap --container-join=0 sed -nE "$2" /proc/self/status; rm up.$1; wait' \
        "$img" "$BERTH_SLOT" "$caps" | diff "$BATS_TEST_TMPDIR/none" -
    as root srun --container="$img" sed -nE "$caps" /proc/self/status | diff "$BATS_TEST_TMPDIR/none" -
    as alice script -qec "salloc -Q --container=$(image base.sqsh)" /dev/null <<<"sed -nE '$caps' /proc/self/status >$out; exit"
    as alice cat "$out" | diff "$BATS_TEST_TMPDIR/none" -
}

# The helper's calls: none of them may fail, or do nothing and claim success, and a container come of it.

# injected STAGE WHAT [options of drive]: strace injects WHAT when the helper starts (start) or into what it starts
# after STAGE.
injected() {
    local stage=$1 what=$2
    shift 2
    if [[ $stage == start ]]; then
        run drive alice -x 'echo ran' "$@" -- strace -f -qq -o "$BATS_TEST_TMPDIR/log" -e "trace=${what%%:*}" -e "inject=$what" "$(helper)"
    else
        run drive alice -x 'echo ran' "$@" -s "$stage" "exec strace -f -qq -o $BATS_TEST_TMPDIR/log -e trace=${what%%:*} -e inject=$what -p \$PID"
    fi
}

# none_of_it: no container, said in one line.
none_of_it() {
    fails
    only "dead|failed: .+"
    lines 1
}

@test "row 9: a credential call of the helper's own fails" {
    for call in setgroups setresgid setresuid; do
        injected start "$call:error=EPERM:when=1" -i "$(image base)"
        none_of_it
        # before it has heard or started anything
        matches dead
    done
}

@test "row 9: the test itself: without a fault there is a container" {
    for stage in REQUEST CWD; do
        injected "$stage" "setgroups:error=EPERM:when=99" -i "$(image base)"
        ok
        matches $'joined\nran'
    done
}

# REQUEST: the opener, which opens what the user named. CWD: the walker, which resolves names in the image.
@test "row 9: a credential call fails, or only claims success, in the process that opens paths" {
    for call in setgroups setresgid setresuid capset; do
        for how in error=EPERM error=EAGAIN retval=0; do
            injected REQUEST "$call:$how:when=1" -i "$(image base)"
            none_of_it
        done
    done
}

@test "row 9: a credential call fails, or only claims success, in the process that walks the image" {
    for call in setgroups setresgid setresuid capset; do
        for how in error=EPERM error=EAGAIN retval=0; do
            injected CWD "$call:$how:when=1" -i "$(image base)"
            none_of_it
        done
    done
    # giving up what it kept for the overlay
    for n in 2 3; do
        injected CWD "capset:error=EPERM:when=$n" -i "$(image base)"
        none_of_it
        injected CWD "capset:retval=0:when=$n" -i "$(image base)"
        none_of_it
    done
}

# prctls FILE: "NUMBER OPTION" of the first call of each option in a strace's file.
prctls() { awk -F '[(,)]' '/^prctl/ && !seen[$2]++ { print n + 1, $2 } /^prctl/ { n++ }' "$1"; }

@test "row 9: a prctl that gives up privileges fails, or only claims success" {
    for stage in REQUEST CWD; do
        drive alice -i "$(image base)" -s "$stage" "exec strace -ff -qq -o $BATS_TEST_TMPDIR/p -e trace=prctl,setresuid -p \$PID"
        file=$(grep -l "setresuid($(id -u berthalice)" "$BATS_TEST_TMPDIR"/p.* | head -n 1)
        run prctls "$file"
        for option in PR_CAPBSET_DROP PR_CAP_AMBIENT PR_SET_NO_NEW_PRIVS PR_SET_DUMPABLE; do has "$option"; done
        while read -r n option; do
            case $option in PR_SET_PDEATHSIG | PR_GET_*) continue ;; esac
            injected "$stage" "prctl:error=EPERM:when=$n" -i "$(image base)"
            none_of_it
            # to read nothing is no lie that could be found out, nor is to clear what is empty
            case $option in PR_CAPBSET_READ | PR_CAP_AMBIENT | PR_SET_DUMPABLE) continue ;; esac
            injected "$stage" "prctl:retval=0:when=$n" -i "$(image base)"
            none_of_it
        done < <(prctls "$file")
        rm "$BATS_TEST_TMPDIR"/p.*
    done
}

@test "row 9: the FUSE server's filter cannot be set" {
    img=$(image_of alice tiny.sqsh)
    drive alice -i "$img" -s REQUEST "exec strace -ff -qq -o $BATS_TEST_TMPDIR/p -e trace=prctl,execve -p \$PID"
    n=$(prctls "$(grep -l squashfuse "$BATS_TEST_TMPDIR"/p.*)" | awk '$2 == "PR_SET_SECCOMP" { print $1 }')
    ((n > 1))
    injected REQUEST "prctl:error=EPERM:when=$n" -i "$img"
    none_of_it
    has FUSE
}

# The plugin's calls, in a task: fault.so stands before berth.so and makes them fail.

# faulty: plugstack.conf with both.
faulty() {
    install -d "$BERTH_W/work"
    : >"$BERTH_W/work/fault"
    ARGS_CHANGED=yes BERTH_PLUGSTACK="required $(tool fault.so) $BERTH_W/work/fault
required $BERTH_PREFIX/lib/slurm/berth.so$(plugstack_args)" plugstack_write
}

# fault_says LINE...: rules for the next step; then a step whose command must not run.
no_task() {
    printf '%s\n' "$@" >"$BERTH_W/work/fault"
    run in_image "$(image tiny.sqsh)" -n2 -- sh -c 'echo ran >&2; id >&2'
    fails
    hasnt ran
    hasnt uid=
    has "berth: "
}

@test "row 9: a privilege is not given up in the task: the command does not run" {
    faulty
    run in_image "$(image tiny.sqsh)" -n2 -- echo ran
    ok
    matches $'ran\nran'
    # 24 PR_CAPBSET_DROP, 38 PR_SET_NO_NEW_PRIVS, 47 PR_CAP_AMBIENT
    no_task "prctl 24 1"
    no_task "prctl 24 0"
    no_task "prctl 38 1"
    no_task "prctl 38 0"
    no_task "prctl 47 1"
    no_task "capset - 1"
    no_task "capget - 1"
    no_task "setns - 1"
    no_task "close_range - 1"
    no_task "getresuid - 1"
}

@test "row 9: Slurm's own change to the user only claims success: the command does not run as root" {
    faulty
    no_task "setreuid - 0" "setresuid - 0" "setuid - 0"
    has "the task runs as 0:"
    no_task "setregid - 0" "setresgid - 0" "setgid - 0"
    has "the task runs as "
}

# ---- row 11: the environment ----

# markers: a directory of alice's with things that variables can name; MARKS: the variables.
markers() {
    local dir v
    dir=$(own alice marks)
    chmod 1777 "$dir"
    install -m 755 "$(tool marker.so)" "$dir/libmark$BERTH_SLOT.so"
    MARKER=$dir/libmark$BERTH_SLOT.so
    mkdir "$dir"/{lib,plugins}
    cp "$MARKER" "$dir/lib/libc.so.6"
    cp "$MARKER" "$dir/plugins/hwloc_xml_libxml.so"
    MARKS=''
    for v in LD_PRELOAD LD_AUDIT; do MARKS+=,$v=$MARKER; done
    for v in LD_LIBRARY_PATH GCONV_PATH LOCPATH NLSPATH TZDIR HWLOC_PLUGINS_PATH HWLOC_FSROOT HWLOC_XMLFILE \
        HWLOC_CPUID_PATH NLCB RDMAV_DRIVERS IBV_CONFIG_DIR LIBMOUNT_FSTAB LIBMOUNT_MTAB LIBMOUNT_UTAB BLKID_FILE BLKID_CONF \
        SLURM_CONF BERTH_CONF BERTH_STATE_DIR BERTH_LIBEXECDIR MUNGE_SOCKET HOSTALIASES RESOLV_HOST_CONF BASH_ENV ENV \
        PYTHONPATH OPENSSL_CONF MALLOC_TRACE LD_DEBUG_OUTPUT XDG_CONFIG_HOME JSON_C_CONF; do
        MARKS+=,$v=$dir/$v
        mkdir "$dir/$v"
    done
    MARKS+=,LIBMOUNT_FORCE_MOUNT2=always,LD_DEBUG=all,HWLOC_COMPONENTS=xml,FUSE_DEBUG=1,HWLOC_DEBUG_VERBOSE=1
}

# marked_by: who loaded the marker.
marked_by() { cat "$MARKER.log" "$BERTH_W"/work/marks/*/*.log "/tmp/${MARKER##*/}.log" 2>/dev/null | sort -u; }

marks_gone() { rm -f "/tmp/${MARKER##*/}.log" /tmp/libnss_mark.so.2.log; }

@test "row 11: the test itself: a program that obeys the variables loads the marker" {
    markers
    run as alice srun --export="ALL,LD_PRELOAD=$MARKER" /bin/true
    ok
    run marked_by
    marks_gone
    matches "$(id -u berthalice) */true"
}

@test "row 11: nothing that works for a step obeys the job's environment" {
    markers
    find "$BERTH_W/work/marks" >"$BATS_TEST_TMPDIR/found"
    for img in "$(image tiny.sqsh)" "$(image bundle)" "$(image_of alice tiny.sqsh)"; do
        run in_image "$img" --export="ALL$MARKS" -- true
        ok
    done
    run batch alice --output=/dev/null --container="$(image tiny.sqsh)" --export="ALL$MARKS" --wrap true
    ok
    run marked_by
    marks_gone
    matches ""
    diff "$BATS_TEST_TMPDIR/found" <(find "$BERTH_W/work/marks")
}

@test "row 11: strace sees no path of theirs in any call of slurmd, slurmstepd and the helper" {
    markers
    trace "$BATS_TEST_TMPDIR/log" -s 4096 -e trace=%file
    run in_image "$(image tiny.sqsh)" -w "$(node 1)" --export="ALL$MARKS" -- true
    trace_end
    marks_gone
    ok
    run grep -hF "$BERTH_W/work/marks" "$BATS_TEST_TMPDIR"/log.*
    matches ""
    # it did look
    grep -qF "berth-helper" "$BATS_TEST_TMPDIR"/log.*
}

@test "row 11: the environment of the helper and of the keeper of images" {
    as alice srun -w "$(node 1)" --container="$(image tiny.sqsh)" --export="ALL,SECRET_OF_MINE=1" sh -c 'echo up; exec sleep 60' \
        >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    wait_until 10 grep -qs up "$BATS_TEST_TMPDIR/out"
    helper=$(pgrep -n -f -x "$(helper)")
    keeper=''
    for pid in $(pgrep -f -x 'berth-keeper --keep'); do
        [[ $(readlink "/proc/$pid/fd/4") != "$BERTH_W/state" ]] || keeper=$pid
    done
    run tr '\0' '\n' <"/proc/$helper/environ"
    matches "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    run tr '\0' '\n' <"/proc/$keeper/environ"
    matches ""
    as alice scancel -u berthalice -w "$(node 1)"
    wait $! || :
}

# The image's files are those of whoever made it. In a task, root's part of slurmstepd goes on for a moment in it.
@test "row 11: nothing is loaded or read from the image by root, after a task has entered it" {
    markers
    dir=$BATS_TEST_TMPDIR/root
    mkdir "$dir"
    unsquashfs -q -n -f -d "$dir" "$(image tiny.sqsh)" >/dev/null
    mkdir -p "$dir"/lib/x86_64-linux-gnu "$dir"/usr/lib/x86_64-linux-gnu/gconv "$dir"/lib64 "$dir"/etc/security
    for lib in libnss_mark.so.2 libnss_files.so.2 libnss_systemd.so.2 libc.so.6 libslurm.so "libmark$BERTH_SLOT.so"; do
        cp "$MARKER" "$dir/lib/x86_64-linux-gnu/$lib"
        cp "$MARKER" "$dir/usr/lib/x86_64-linux-gnu/$lib"
    done
    printf 'passwd: mark\ngroup: mark\nhosts: mark\nservices: mark\n' >"$dir/etc/nsswitch.conf"
    echo "/lib/x86_64-linux-gnu/libmark$BERTH_SLOT.so" >"$dir/etc/ld.so.preload"
    printf 'LD_PRELOAD="/lib/x86_64-linux-gnu/libmark%s.so"\nLD_AUDIT="%s"\nGCONV_PATH="/usr/lib"\n' "$BERTH_SLOT" "$MARKER" >>"$dir/etc/environment"
    pack "$dir" "$BERTH_IMAGES/trap-root.sqsh"
    trace "$BATS_TEST_TMPDIR/log" -e trace=%file,setns
    run in_image "$BERTH_IMAGES/trap-root.sqsh" -w "$(node 1)" -- true
    trace_end
    ok
    run marked_by
    marks_gone
    matches ""
    # from the task's entry to its command
    task=$(grep -l '^setns(.*CLONE_NEWNS' "$BATS_TEST_TMPDIR"/log.*)
    run sed -n '/CLONE_NEWNS/,/^execve/p' "$task"
    has 'execve("/bin/true"'
    only 'setns\(.*|chdir\(.*|getcwd\(.*|newfstatat\(AT_FDCWD, ".*/true", .*|execve\(.*|openat2\(AT_FDCWD, "/home/berthalice", .*O_PATH.*RESOLVE_NO_MAGICLINKS.*'
}

# ---- row 12: over-long options (those that srun and sbatch see: 60-failures-input) ----

# What sbatch takes from a file is not bounded by what exec takes.
@test "row 12: 200 kB in every variable that an option could come by, on the node" {
    dir=$(own alice long)
    head -c 200000 /dev/zero | tr '\0' a >"$dir/value"
    log=$BERTH_W/log/slurmd.$(node 1).log
    from=$(wc -l <"$log")
    names=(SLURM_CONTAINER SLURM_BERTH_CONTAINER)
    for o in IMAGE MOUNTS WORKDIR MOUNT_HOME WRITABLE ENV UNSHARE REMAP_ROOT JOIN; do
        names+=("BERTH_CONTAINER_$o" "SLURM_BERTH_CONTAINER_$o" "SLURM_SPANK_BERTH_CONTAINER_$o")
        o=${o,,}
        names+=("_SLURM_SPANK_OPTION_berth_container_$o" "SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_$o")
    done
    for name in "${names[@]}"; do
        { printf 'PATH=/bin\0MARK=came\0%s=/' "$name"; cat "$dir/value"; printf '\0'; } >"$dir/$name.env"
        # shellcheck disable=SC2016 # for the job's shell
        as alice sbatch -Q --parsable --nodelist="$(node 1)" --oversubscribe --output="$dir/$name.out" --container="$(image tiny.sqsh)" \
            --export-file="$dir/$name.env" --wrap 'grep IMAGE_ID /etc/os-release || echo the host; echo "$MARK"'
    done >/dev/null
    wait_until 60 no_jobs
    for name in "${names[@]}"; do
        run cat "$dir/$name.out"
        # 26.05 takes nothing of a file that is as long, MARK neither
        [[ $output != IMAGE_ID=tiny ]] || continue
        # refused, or where the kernel does not take it, or where Slurm has dropped it: then in the container
        [[ $output == *"berth: "*"longer than 4095 bytes"* || $output == *"berth: "*"has not allowed it"* ||
            $output == *"Argument list too long"* || $output == "IMAGE_ID=tiny"* ]] || { echo "$name: ${output:0:500}"; return 1; }
        [[ $(grep -c 'berth: ' <<<"$output") -le 1 && ${#output} -lt 2000 ]]
        [[ $name != BERTH_CONTAINER_MOUNTS && $name != SLURM_*BERTH_CONTAINER_WORKDIR ]] || has "berth: "
    done
    run tail -n +$((from + 1)) "$log"
    [[ ! ${output,,} =~ segfault|"signal 11"|"signal 6"|aborted|"core dump" ]]
    wait_until 20 nodes_are idle || { sinfo -N -o '%N %T %E'; return 1; }
}
