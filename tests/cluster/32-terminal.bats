#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# srun --pty and salloc: a terminal that works inside.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# on_terminal CMD... <SCRIPT: as alice, in a window of 30 rows and 100 columns; SCRIPT: see tools/terminal.
on_terminal() {
    drop_in "$BERTH_TOP/tests/tools/terminal" "$(own alice bin)"
    run as alice /usr/bin/python3 "$BERTH_W/work/bin/terminal" 30x100 "$@"
}

@test "tty names a terminal that exists inside and is the user's, in any image" {
    for img in tiny.sqsh base.sqsh musl.sqsh bundle; do
        on_terminal srun --pty --container="$(image "$img")" sh <<'END'
send tty; stat -c '%F %U' $(tty)
expect /dev/pts/
expect character special file berthalice
send echo to''tty >$(tty); echo to''dev >/dev/tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all''three
expect totty
expect todev
expect allthree
send exit 7
END
        fails 7
    done
}

@test "a program without a shell has it, too" {
    on_terminal srun --pty --container="$(image base.sqsh)" tty </dev/null
    ok
    has /dev/pts/
}

# srun tells the first size, too, and may do so late; a change in that moment it loses. So the second one counts, and a trap
# must not have $(): bash 5.2 loses its place where that comes while it reads a line.
@test "the window's size, and its changes" {
    on_terminal srun --pty --container="$(image base.sqsh)" bash --norc <<'END'
send trap 'stty size; echo no""w' WINCH; stty size
expect 30 100
size 35x110
send sleep 1; echo mid""way
expect midway
size 41x123
send until stty size | grep -q 12[3]; do sleep 0.1; done; sleep 0.5; exit
expect 41 123
expect now
END
    ok
}

@test "job control: stop, list, continue, interrupt, quit" {
    on_terminal srun --pty --container="$(image base.sqsh)" bash --norc <<'END'
send job() { sh -c 'trap "echo cont""inued" CONT; echo run""ning; while :; do sleep 0.1; done'; }; job
expect running
key Z
expect Stopped
send fg
expect continued
key C
send echo "code $?"
expect code 130
send job
expect running
key \
send echo "code $?"
expect code 131
send job
expect running
key Z
expect Stopped
send bg
expect continued
send jobs
expect Running
send kill %1; wait %1; echo "code $?"
expect code 143
send exit 0
END
    ok
}

@test "end of file ends the shell, quit and interrupt do not end the step" {
    on_terminal srun --pty --container="$(image tiny.sqsh)" sh <<'END'
expect $
key C
key C
send echo still""here
expect stillhere
expect $
key D
END
    ok
}

@test "a shell with line editing, history and a full-screen program" {
    on_terminal srun --pty --container="$(image tiny.sqsh)" sh <<'END'
send echo one > /tmp/berth-vi.$SLURM_JOB_ID; vi /tmp/berth-vi.$SLURM_JOB_ID
expect one
send :q!
send rm /tmp/berth-vi.$SLURM_JOB_ID; echo back""again
expect backagain
send exit
END
    ok
}

@test "salloc --container: the shell of the interactive step" {
    for option in --container --container-image; do
        on_terminal salloc "$option=$(image base.sqsh)" <<'END'
expect Granted
send tty; stty size; sed -n s/IMAGE_ID=/image:/p /etc/os-release; stat -c '%F' $(tty)
expect /dev/pts/
expect 30 100
expect image:base
expect character special file
send exit 5
END
        fails 5
    done
}

@test "a running step's container, joined from a terminal" {
    HOLD=$(own alice hold)
    background srun --job-name="run$BERTH_SLOT" --container="$(image tiny.sqsh)" --container-mounts="$HOLD:/mnt" \
        sh -c 'touch /mnt/up; exec sleep 100'
    step_runs "$HOLD/up"
    on_terminal srun --overlap --jobid="$(squeue -h -n "run$BERTH_SLOT" -o %i)" --container-join=0 --pty sh <<'END'
send stat -c '%F %U' $(tty); ls /mnt
expect character special file berthalice
expect up
send exit
END
    ok
}

@test "without --pty there is none" {
    on_terminal srun --container="$(image base.sqsh)" sh -c 'tty; test -t 0 || echo none' <<'END'
expect not a tty
expect none
END
    ok
}
