# shellcheck shell=bash
# What a step may leave behind, as text: taken before and after, the two must be equal.
#
#   census >before
#   ...
#   census_equal before [seconds]      polls until a new census equals the file; else prints the difference, fails
#
# While this is the only test cluster on the machine the census counts for the whole machine. Beside others it
# counts only what can be told to be ours, and leaves out what cannot (mount namespaces, FUSE connections).

# census_of_slurmd NODE: mounts it sees, pid, open files.
census_of_slurmd() {
    local pid
    pid=$(pid_of "slurmd.$1") || { echo "slurmd $1: not running"; return 0; }
    echo "slurmd $1: pid $pid, $(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l) files open"
    census_mounts "slurmd $1 mount" "/proc/$pid/mountinfo"
}

# census_mounts LABEL FILE: root, mount point, options, type and source; no ids.
census_mounts() {
    awk -v l="$1" '{
        for (i = 7; $i != "-"; i++) { }
        print l ": " $4 " on " $5 " (" $6 ") " $(i + 1) " from " $(i + 2)
    }' "$2" | if [[ $CENSUS_WIDE == yes ]]; then cat; else grep -F "$BERTH_W" || :; fi
}

census_loops() {
    losetup --raw -l -n -O BACK-FILE,AUTOCLEAR,RO |
        if [[ $CENSUS_WIDE == yes ]]; then cat; else grep -E "$BERTH_W|/home/berth(alice|bob)" || :; fi |
        sed 's/^/loop: /'
}

# census_fuse: connection numbers, by way of a fusectl of our own where the host has none mounted.
census_fuse() {
    [[ $CENSUS_WIDE == yes ]] || return 0
    unshare -m sh -c 'mountpoint -q /sys/fs/fuse/connections || mount -t fusectl none /sys/fs/fuse/connections
        ls /sys/fs/fuse/connections' 2>/dev/null | sed 's/^/fuse connection: /'
}

# census_ours PID: does this process belong to our cluster? A keeper of images has the state directory as
# descriptor 4 and nothing else that would tell.
census_ours() {
    [[ $CENSUS_WIDE == yes ]] || pid_is_ours "$1" || [[ $(readlink "/proc/$1/fd/4") == "$BERTH_W/state" ]] ||
        grep -qE "slurm_(${BERTH_NODES// /|})/" "/proc/$1/cgroup"
}

# census_processes: what berth or Slurm starts for steps, and every process of a test user. Zombies are gone
# already: the machine's init may be slow to collect them.
census_processes() {
    local pid state user name rest
    while read -r pid state user name rest; do
        [[ $state != Z* ]] || continue
        case $user:$name in
        *:slurmstepd) [[ $rest != *infinity* ]] || continue ;;
        *:berth-helper | *:squashfuse* | *:erofsfuse | berth*:*) ;;
        *) [[ $rest == berth-* ]] || continue ;;
        esac
        if census_ours "$pid" 2>/dev/null; then echo "process: $user $name $rest"; fi
    done < <(ps -eo pid=,stat=,user:32=,comm:32=,args=)
}

# census_namespaces: mount namespaces that a process of a test user's, of berth's or of Slurm's lives in; this shell's
# is one. lsns of util-linux 2.38 prints none at all if a process ends while it looks.
census_namespaces() {
    [[ $CENSUS_WIDE == yes ]] || return 0
    ps -eo mntns=,user:32=,comm= | awk -v n=1 -v own="$(stat -L -c %i /proc/self/ns/mnt)" '
        $1 ~ /^[0-9]+$/ && ($2 ~ /^berth/ || $3 ~ /^(berth|slurm|squashfuse|erofsfuse)/) && $1 != own && !seen[$1]++ { n++ }
        END { print "mount namespaces: " n }'
}

# census_cgroups: of jobs; the node's own are made by the first job and stay.
census_cgroups() { cgroup_dirs | grep -E "slurm_[^/]*/|scope/job" | census_not_slurms | sed 's/^/cgroup: /'; }

# census_not_slurms: Slurm itself now and then leaves the freezer of a job behind, empty: 22.05 without any plugin once in
# 400 steps of two nodes on a loaded machine, 24.11 with extern steps. Of these it leaves the freezer and the socket, too,
# where slurmstepd's thread for X11 has the user's rights in the moment when they should go ("Permission denied" in
# slurmd's log). Those of other steps, and all else, count.
census_not_slurms() {
    local but='/freezer/slurm_[^/]*/uid_[0-9]+(/job_[0-9]+)?$'
    ((${CENSUS_SLURM:=$(slurm_version)} < 2311)) || but+='|/freezer/.*/step_extern$|\.4294967292 s$'
    grep -vE "$but" || :
}

# census_state: files of berth and of slurmd, but for what slurmd keeps about the node.
census_state() {
    find "$BERTH_W/state" "$BERTH_W/spool" -mindepth 2 \
        ! -name 'cred_state*' ! -name 'hwloc_topo_whole*' -printf 'state: %H/%P %y\n' 2>/dev/null | census_not_slurms
    find "$BERTH_W/state" -mindepth 1 -maxdepth 1 -printf 'state: %H/%P %y\n'
}

# census_devices: nodes of NICs, and slots of the leases that somebody holds.
census_devices() {
    find /dev/infiniband /dev/vfio -printf 'device: %p %y %m %U:%G\n' 2>/dev/null
    [[ ! -e $BERTH_W/state/leases/lock ]] ||
        echo "leases held: $(grep -c ":$(stat -c %i "$BERTH_W/state/leases/lock") " /proc/locks)"
}

census_nodes() {
    timeout 10 scontrol -o show node 2>&1 |
        sed -nE 's/.*NodeName=([^ ]*).* State=([^ ]*).*/node: \1 \2/p; s/.*NodeName=([^ ]*).* Reason=(.*)/node: \1 reason \2/p'
}

# census: all of it, sorted.
census() {
    local CENSUS_WIDE=no CENSUS_SLURM n
    CENSUS_SLURM=$(slurm_version)
    (($(slots_used) > 1)) || CENSUS_WIDE=yes
    {
        set +e # in a test: what goes while we look is not there, and no failure
        echo "wide: $CENSUS_WIDE"
        census_mounts "host mount" /proc/self/mountinfo
        for n in $BERTH_NODES; do census_of_slurmd "$n"; done
        census_loops
        census_fuse
        census_processes
        census_namespaces
        census_cgroups
        census_state
        census_devices
        census_nodes
    } | LC_ALL=C sort
}

# census_equal FILE [SECONDS]: waits up to SECONDS (default 10).
census_equal() {
    local file=$1 now=$1.now
    [[ -s $file ]] || die "no census in $file"
    wait_until "${2:-10}" census_is "$file" "$now" && return 0
    {
        echo "left behind (+) or lost (-):"
        diff -a -U0 <(census_before "$file" "$now") "$now" | tail -n +3 | grep -v '^@@'
    } >&2
    return 1
}

# census_renew FILE NODE: another slurmd runs on NODE now; what FILE says of the old one is replaced.
census_renew() {
    {
        grep -v "^slurmd $2" "$1"
        CENSUS_WIDE=$(sed -n 's/^wide: //p' "$1") census_of_slurmd "$2"
    } | LC_ALL=C sort >"$1.new"
    mv "$1.new" "$1"
}

# census_is FILE NOW: writes a census to NOW; true if it equals FILE. If another cluster came or went meanwhile,
# what only one of the two could see does not count.
census_is() {
    census >"$2"
    cmp -s <(census_before "$1" "$2") "$2" && return 0
    [[ $(grep ^wide "$1") != "$(grep ^wide "$2")" ]] || return 1
    cmp -s <(census_narrow <"$1") <(census_narrow <"$2")
}

# census_before FILE NOW: FILE, with fewer open files of slurmd where NOW has fewer: a connection that was just ending.
census_before() {
    awk '/^slurmd [^ ]*: pid/ {
            if (NR == FNR) now[$2, $4] = $5
            else if (($2, $4) in now && now[$2, $4] + 0 < $5 + 0) $5 = now[$2, $4]
        }
        NR != FNR' "$2" "$1"
}

census_narrow() { grep -E '^(cgroup|state|node)'; }
