# Reads "round<TAB>case<TAB>metric<TAB>microseconds", prints the table.  -v smoke=yes: without judgement.
# Whatever was not measured has no row.
BEGIN { FS = "\t" }
{
    k = ++count[$2, $3]
    value[$2, $3, k] = $4
    round[$2, $3, k] = $1
    sum[$2, $3, $1] += $4
    in_round[$2, $3, $1]++
    if ($3 == "failed")
        failed++
    if ($3 == "lost")
        lost += $4
    if ($3 == "srun")
        runs++
}

# ---- lists: set[1..n], and their middle ----

function sort_set(    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = set[i]
        for (j = i - 1; j >= 1 && set[j] > x; j--)
            set[j + 1] = set[j]
        set[j + 1] = x
    }
}
function middle() {
    sort_set()
    return n % 2 ? set[(n + 1) / 2] : (set[n / 2] + set[n / 2 + 1]) / 2
}
function has(c, m) { return count[c, m] > 0 }
function take(c, m,    k) {
    n = count[c, m] + 0
    for (k = 1; k <= n; k++)
        set[k] = value[c, m, k]
    return n
}
function median(c, m) { return take(c, m) ? middle() : 0 }

# Each figure of c less the mean of the same round's figures of base.
function take_added(c, base, m,    k, r) {
    n = 0
    for (k = 1; k <= count[c, m]; k++) {
        r = round[c, m, k]
        if (in_round[base, m, r])
            set[++n] = value[c, m, k] - sum[base, m, r] / in_round[base, m, r]
    }
    return n
}
# The two figures of a round: difference, or ratio of the greater to the lesser.
function take_twins(c, m, ratio,    k, r, a, b) {
    n = 0
    for (k = 2; k <= count[c, m]; k++) {
        r = round[c, m, k]
        if (r != round[c, m, k - 1] || in_round[c, m, r] != 2)
            continue
        a = value[c, m, k - 1]
        b = value[c, m, k]
        if (a > b) {
            r = a
            a = b
            b = r
        }
        set[++n] = ratio ? b / a : b - a
    }
    return n
}
function take_ratio(c, base, m,    k, r) {
    n = 0
    for (k = 1; k <= count[c, m]; k++) {
        r = round[c, m, k]
        if (in_round[base, m, r])
            set[++n] = value[c, m, k] / (sum[base, m, r] / in_round[base, m, r])
    }
    return n
}
# What each of the tasks 2 to 16 adds to the span.
function take_per_task(c, base,    k, r, m) {
    n = 0
    m = "span"
    for (k = 1; k <= count[c "-16", m]; k++) {
        r = round[c "-16", m, k]
        if (in_round[c "-1", m, r] == 1 && in_round[base "-16", m, r] == 1 && in_round[base "-1", m, r] == 1)
            set[++n] = (value[c "-16", m, k] - sum[base "-16", m, r] - sum[c "-1", m, r] + sum[base "-1", m, r]) / 15
    }
    return n
}

# ---- rows ----

function section(text) { pending = text }
function begin_row() {
    if (pending != "")
        printf "%s\n", pending
    pending = ""
}
# The figures in set[1..n] as a row, in units of `unit` microseconds; limit < 0: no target.
function row(text, unit, format, limit, why,    mid, verdict, target) {
    if (!n)
        return
    begin_row()
    mid = middle()
    verdict = ""
    target = ""
    if (limit >= 0) {
        target = sprintf("<= " format why, limit / unit)
        verdict = mid <= limit ? "ok" : "over"
        if (smoke != "yes")
            mid <= limit ? good++ : over++
    }
    if (smoke == "yes")
        verdict = ""
    printf "  %-46s %4d  " format " (" format " .. " format ")  %-26s %s\n", text, shown ? shown : n, mid / unit,
        set[1] / unit, set[n] / unit, target, verdict
}
function ms(text, limit, why) { row(text, 1000, "%8.2f", limit, why) }
# x, counted in `of` steps.
function number(text, of, x, limit) {
    n = 1
    set[1] = x
    shown = of
    row(text, 1, "%8.0f", limit)
    shown = 0
}
function floor_limit(kind) { return has("floor-" kind, "setup") ? 1.3 * median("floor-" kind, "setup") : -1 }
function hooks(c, text, limit, why) {
    take(c, "hooks")
    ms(text, limit, why)
}
function added(c, base, m, text, limit, why) {
    take_added(c, base, m)
    ms(text, limit, why)
}

# ---- the sections ----

function floors(    i, k, list) {
    split("bare dir squashfs shared erofs fuse", list, " ")
    text["bare"] = "nothing, fork and exec"
    text["dir"] = "directory"
    text["squashfs"] = "squashfs over a loop device"
    text["shared"] = "squashfs, mounted before"
    text["erofs"] = "erofs from the file"
    text["fuse"] = "squashfs through squashfuse_ll"
    section("The kernel's floor, as root, outside Slurm: ms")
    for (i = 1; i in list; i++) {
        k = list[i]
        if (k != "bare") {
            take("floor-" k, "setup")
            ms(text[k] ": set-up", -1)
        }
        take("floor-" k, "exec")
        ms(text[k] ": true", -1)
    }
}
function hook_times() {
    section("Time in Berth's hooks before the command, 1 task: ms")
    hooks("unused-1", "no container", -1)
    hooks("first-squashfs-1", "first step, squashfs", floor_limit("squashfs"), " (1.3 floors)")
    hooks("first-small-1", "first step, squashfs of 1 MB", floor_limit("squashfs"), " (1.3 floors)")
    hooks("first-erofs-1", "first step, erofs", floor_limit("erofs"), " (1.3 floors)")
    hooks("more-squashfs-1", "further step, squashfs", 1000)
    hooks("more-erofs-1", "further step, erofs", 1000)
    hooks("dir-1", "directory", -1)
    hooks("own-squashfs-1", "user's own squashfs (FUSE)", floor_limit("fuse"), " (1.3 floors)")
    section("The same, slowest of 16 tasks: ms")
    hooks("unused-16", "no container", -1)
    hooks("first-squashfs-16", "first step, squashfs", -1)
    hooks("more-squashfs-16", "further step, squashfs", -1)
    hooks("more-erofs-16", "further step, erofs", -1)
    hooks("own-squashfs-16", "user's own squashfs (FUSE)", -1)
}
function split_row(c,    i, list) {
    if (!has(c, "hooks"))
        return
    begin_row()
    printf "  %-22s", c
    split("init init_post_opt user_init task_init_privileged task_init end", list, " ")
    for (i = 1; i in list; i++)
        printf " %*.3f", i == 4 ? 20 : 13, median(c, list[i]) / 1000
    printf "\n"
}
function split_hooks(    i, list) {
    section(sprintf("Hook by hook, medians: ms\n  %-22s %13s %13s %13s %20s %13s %13s", "", "init", "init_post_opt",
        "user_init", "task_init_privileged", "task_init", "exit hooks"))
    split("unused-1 first-squashfs-1 first-small-1 first-erofs-1 more-squashfs-1 more-erofs-1 dir-1 own-squashfs-1 " \
        "usnic-1 unused-16 first-squashfs-16 more-squashfs-16 more-erofs-16 own-squashfs-16 usnic-16", list, " ")
    for (i = 1; i in list; i++)
        split_row(list[i])
}
function spans() {
    section("From slurmstepd's first hook to the last task's last, more than without container: ms")
    added("first-squashfs-1", "unused-1", "span", "first step, squashfs, 1 task", -1)
    added("more-squashfs-1", "unused-1", "span", "further step, squashfs, 1 task", -1)
    added("more-erofs-1", "unused-1", "span", "further step, erofs, 1 task", -1)
    added("dir-1", "unused-1", "span", "directory, 1 task", -1)
    added("own-squashfs-1", "unused-1", "span", "user's own squashfs (FUSE), 1 task", -1)
    added("first-squashfs-16", "unused-16", "span", "first step, squashfs, 16 tasks", 5000)
    added("more-squashfs-16", "unused-16", "span", "further step, squashfs, 16 tasks", 5000)
    added("more-erofs-16", "unused-16", "span", "further step, erofs, 16 tasks", 5000)
    added("own-squashfs-16", "unused-16", "span", "user's own squashfs (FUSE), 16 tasks", -1)
    added("usnic-1", "more-squashfs-1", "span", "--usnic more than without, 1 task", 1000)
    added("usnic-16", "more-squashfs-16", "span", "--usnic more than without, 16 tasks", 1000)
    take_per_task("more-squashfs", "unused")
    ms("further step, squashfs, per further task", 200)
    take_per_task("more-erofs", "unused")
    ms("further step, erofs, per further task", 200)
}
function exec_row(c, text, limit, why) {
    take(c, "run")
    ms(text, limit, why)
}
function execs(    limit) {
    section("From task_init to task_exit: exec, `true`, its end: ms")
    limit = has("dir-1", "run") ? 1.1 * median("dir-1", "run") : -1
    exec_row("unused-1", "no container", -1)
    exec_row("dir-1", "directory", -1)
    exec_row("first-squashfs-1", "first step, squashfs", -1)
    exec_row("first-erofs-1", "first step, erofs", -1)
    exec_row("more-squashfs-1", "further step, squashfs", limit, " (1.1 x directory)")
    exec_row("more-erofs-1", "further step, erofs", limit, " (1.1 x directory)")
    exec_row("own-squashfs-1", "user's own squashfs (FUSE)", -1)
}
# What a step of one task, and `true` in it, is late by: work that the hooks do early, like reading an image's directories,
# its exec need not do.
function path_row(c, kind, text,    limit) {
    limit = -1
    if (has("floor-" kind, "setup") && has("floor-bare", "exec"))
        limit = 1.3 * (median("floor-" kind, "setup") + median("floor-" kind, "exec") - median("floor-bare", "exec"))
    added(c, "unused-1", "path", text, limit, " (1.3 floors)")
}
function paths() {
    section("Hooks and exec together, more than without container: ms")
    path_row("first-squashfs-1", "squashfs", "first step, squashfs")
    path_row("first-erofs-1", "erofs", "first step, erofs")
    path_row("own-squashfs-1", "fuse", "user's own squashfs (FUSE)")
}
# noise[tasks], from bare against bare.
function sruns(t, what,    peer) {
    section("Whole srun, " what ": ms; below the first row: more than bare")
    take("bare-" t, "srun")
    ms("bare", -1)
    noise[t] = take_twins("bare-" t, "srun", 0) ? middle() : -1
    ms("bare, difference of a round's two", -1)
    take_added("unused-" t, "bare-" t, "srun")
    ms("Berth loaded, no container", noise[t], " (difference of bare)")
    added("first-squashfs-" t, "bare-" t, "srun", "first step, squashfs", -1)
    added("first-small-" t, "bare-" t, "srun", "first step, squashfs of 1 MB", -1)
    added("first-erofs-" t, "bare-" t, "srun", "first step, erofs", -1)
    added("more-squashfs-" t, "bare-" t, "srun", "further step, squashfs", -1)
    added("more-erofs-" t, "bare-" t, "srun", "further step, erofs", -1)
    added("dir-" t, "bare-" t, "srun", "directory", -1)
    peer = t == 1 ? 29000 : 111000
    if (take_added("chrun-squashfs-" t, "bare-" t, "srun"))
        peer = middle()
    added("own-squashfs-" t, "bare-" t, "srun", "user's own squashfs (FUSE)", peer, " (ch-run IMG.sqsh)")
    added("chrun-dir-" t, "bare-" t, "srun", "peer: ch-run DIR", -1)
    added("chrun-squashfs-" t, "bare-" t, "srun", "peer: ch-run IMG.sqsh", -1)
    added("crun-" t, "crun-none-" t, "srun", "peer: crun run", -1)
}
# late: steps in a container that took a second more than bare ones, or after whose last task slurmstepd took one.
function watch(    key, part, k, limit) {
    late = watched = 0
    for (key in count) {
        split(key, part, SUBSEP)
        if (part[1] !~ /^(first|more|dir|own|usnic|mpi-container)/)
            continue
        if (part[2] == "wait") {
            limit = 1e6
            watched += count[key]
        } else if (part[2] == "srun" && part[1] ~ /-(1|16)$/)
            limit = 1e6 + median(part[1] ~ /-16$/ ? "bare-16" : "bare-1", "srun")
        else
            continue
        for (k = 1; k <= count[key]; k++)
            if (value[part[1], part[2], k] >= limit && !counted[part[1], round[part[1], part[2], k]]++)
                late++
    }
}
function burst_rows(c, what,    worst) {
    if (!has(c, "lost"))
        return
    section(sprintf("%d %s at once", median(c, "steps"), what))
    number("failed", median(c, "steps"), median(c, "lost"), c == "burst-bare" ? -1 : 0)
    take(c, "together")
    row("until all were there: s", 1e6, "%8.2f", -1)
    if (!take(c, "hooks"))
        return
    row("time in hooks: ms", 1000, "%8.2f", -1)
    sort_set()
    worst = set[n]
    set[1] = worst
    n = 1
    ms("  the slowest: ms", c == "burst-steps" ? 1e6 : -1)
}
function mpi(    i, list, own) {
    split("8 65536 1048576", list, " ")
    section("MPI between two ranks over shared memory, half round trip: us; then container to bare")
    for (i = 1; i in list; i++) {
        take("mpi-bare", list[i])
        row(list[i] " bytes, bare", 1, "%8.2f", -1)
    }
    for (i = 1; i in list; i++) {
        own = take_twins("mpi-bare", list[i], 1) ? middle() : -1
        row(list[i] " bytes, bare to bare", 1, "%8.3f", -1)
        take_ratio("mpi-container", "mpi-bare", list[i])
        row(list[i] " bytes, container to bare", 1, "%8.3f", own < 0 ? -1 : 1.02 * own, " (1.02 x noise)")
    }
}
END {
    printf "%-48s %4s  %8s (%8s .. %8s)  %-26s %s\n", "", "n", "median", "min", "max", "target", ""
    floors()
    hook_times()
    split_hooks()
    spans()
    execs()
    paths()
    sruns(1, "1 task")
    sruns(16, "16 tasks")
    section("What must not happen")
    if (runs) {
        watch()
        number("steps that failed", runs + failed, failed, 0)
        if (watched)
            number("steps that slurmstepd's second of sleep hit", watched, late, 0)
    }
    burst_rows("burst-bare", "bare steps")
    burst_rows("burst-steps", "steps of one image, not mounted before")
    burst_rows("burst-images", "steps of as many images")
    mpi()
    if (smoke == "yes")
        printf "\nA smoke run: the figures mean nothing.\n"
    else
        printf "\n%d figures within their targets, %d over\n", good, over
    exit failed + lost > 0
}
