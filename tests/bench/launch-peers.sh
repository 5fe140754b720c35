# shellcheck shell=bash
# Charliecloud and crun beside Berth, for tests/bench/launch.  Uses its B, ALICE, plug, srun_timed and step_over.

FUSE_WAS=''             # owner, group and mode of /dev/fuse before we opened it to alice

peers_up() {
    local p missing=()
    for p in charliecloud crun; do deps_installed "$p" || missing+=("$p"); done
    if ((${#missing[@]})); then
        note "installing: ${missing[*]}"
        apt_cannot_start_daemons quietly "$B/apt.log" apt_install "${missing[@]}" || exit 1
    fi
    # Charliecloud's FUSE server is the user's own process. Most hosts let everybody open the device.
    if ! as alice sh -c ': <>/dev/fuse' 2>/dev/null; then
        FUSE_WAS=$(stat -c '%u:%g %a' /dev/fuse)
        chgrp berthgrp /dev/fuse && chmod 660 /dev/fuse
    fi
    crun_bundle || exit 1
}

peers_down() {
    [[ -n $FUSE_WAS ]] || return 0
    chown "${FUSE_WAS% *}" /dev/fuse
    chmod "${FUSE_WAS#* }" /dev/fuse
}

# crun_bundle: what `crun spec --rootless` says, with our root and command, and without the mounts and limits that
# need cgroups; and the script by which its tasks start.
crun_bundle() {
    install -d -m 755 "$B/bundle"
    AS_CWD=$ALICE as alice crun spec --rootless || return 1
    python3 - "$ALICE/config.json" "$B/bundle/config.json" "$(image base)" <<'END' || return 1
import json, sys

c = json.load(open(sys.argv[1]))
c["process"].update(args=["true"], terminal=False)
c["root"] = {"path": sys.argv[3], "readonly": True}
c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("cgroup", "mqueue")]
c["linux"].pop("resources", None)
for ids in c["linux"].get("uidMappings", []) + c["linux"].get("gidMappings", []):
    ids["hostID"] = 0
json.dump(c, open(sys.argv[2], "w"))
END
    cat >"$B/crun-task" <<'END'
#!/bin/sh
# crun-task CMD...: in a user namespace, where cgroup v2 can be hidden: crun refuses hosts that have both versions.
[ "$1" = --inside ] || exec unshare --user --map-root-user --mount "$0" --inside "$@"
shift
[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified || exit 1
[ "$1" = true ] || set -- "$@" "b$SLURM_STEP_ID.$SLURM_PROCID"
exec "$@"
END
    chmod 755 "$B/crun-task"
}

# peer_run NAME-TASKS: started by srun, without the plugin.
peer_run() {
    local name=$1 tasks=${1##*-} cmd=()
    case $name in
    chrun-dir-*) cmd=(ch-run "$(image base)" -- true) ;;
    chrun-squashfs-*) cmd=(ch-run "$(image base.sqsh)" -- true) ;;
    crun-none-*) cmd=("$B/crun-task" true) ;;
    crun-*) cmd=("$B/crun-task" crun --root="$ALICE/crun" --cgroup-manager=disabled run -b "$B/bundle") ;;
    esac
    plug none
    srun_timed "$name" -n"$tasks" "${cmd[@]}"
    step_over
}
