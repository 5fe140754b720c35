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
    run as alice sbatch --wait --output="row7.$BERTH_SLOT" --container="$img" --wrap "exec inside fds"
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
    AS_CWD=$dir/a/b run as alice sbatch --wait --output="/home/berthalice/row7.$BERTH_SLOT" -D "$dir/a/b" --wrap \
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

programs() { sha256sum "$BERTH_PREFIX"/libexec/berth/* "$BERTH_PREFIX/lib/slurm/berth.so" "$(command -v slurmstepd || echo /usr/sbin/slurmstepd)"; }

# ROWS_ROUNDS=50 for 1,000 joins.
@test "row 8: tasks try to open every /proc/PID/exe for writing, while steps start and join theirs" {
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
            srun -Q -n1 --overlap --container="$0" --container-mount-home true
            n=$((n + 1))
        done
        wait' "$img" "$BERTH_SLOT" "$secs" $((10 * ROUNDS))
    ok
    hasnt opened
    [[ $(sed -n 's/^tried //p' <<<"$output" | sort -n | head -n 1) -gt 1000 ]]
    programs | diff "$BATS_TEST_TMPDIR/programs" -
}
