# Reads the plugin's lines
#   berth-timing hook=NAME enter_ns=N exit_ns=N step=J.S pid=P
# and prints one line for each step: "step metric=microseconds ...".
#
#   init, init_post_opt, user_init                in slurmstepd
#   task_init_privileged, task_init               of the task that spent most time in the two
#   hooks    the sum of those five: the time that Berth holds a task up
#   span     from the first hook's beginning to the last task_init's end, what slurmstepd itself does included
#   run      from task_init's end to task_exit's beginning: exec, the command, its end (steps of one task only)
#   path     hooks and run
#   end      in task_exit and exit
#   wait     between the last task_exit and exit: where slurmstepd sleeps when something is left of the step
{
    for (i = 2; i <= NF; i++) {
        p = index($i, "=")
        v[substr($i, 1, p - 1)] = substr($i, p + 1)
    }
    h = v["hook"]; s = v["step"]; from = v["enter_ns"] / 1000; to = v["exit_ns"] / 1000
    if (!(s in seen)) {
        seen[s] = 1
        order[++n] = s
    }
    took[s, h] += to - from
    if (h ~ /^task_init/) {
        task[s, v["pid"], h] = to - from
        if (h == "task_init_privileged")
            pids[s] = pids[s] " " v["pid"]
        else if (to > ready[s])
            ready[s] = to
    } else if (h == "init")
        begin[s] = from
    else if (h == "task_exit") {
        if (!exits[s]++)
            first_exit[s] = from
        if (to > last_exit[s])
            last_exit[s] = to
    } else if (h == "exit")
        leave[s] = from
}
END {
    for (k = 1; k <= n; k++)
        print_step(order[k])
}
function print_step(s,    list, m, i, p, a, b, best, total) {
    best = -1
    m = split(pids[s], list, " ")
    for (i = 1; i <= m; i++) {
        p = list[i]
        if (task[s, p, "task_init_privileged"] + task[s, p, "task_init"] > best) {
            a = task[s, p, "task_init_privileged"] + 0
            b = task[s, p, "task_init"] + 0
            best = a + b
        }
    }
    if (best < 0)
        return
    total = took[s, "init"] + took[s, "init_post_opt"] + took[s, "user_init"] + best
    printf "%s init=%.1f init_post_opt=%.1f user_init=%.1f task_init_privileged=%.1f task_init=%.1f", s,
        took[s, "init"], took[s, "init_post_opt"], took[s, "user_init"], a, b
    printf " hooks=%.1f span=%.1f", total, ready[s] - begin[s]
    if (m == 1 && exits[s] == 1)
        printf " run=%.1f path=%.1f", first_exit[s] - ready[s], total + first_exit[s] - ready[s]
    printf " end=%.1f wait=%.1f\n", took[s, "task_exit"] + took[s, "exit"], leave[s] - last_exit[s]
}
