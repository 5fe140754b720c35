# shellcheck shell=bash disable=SC2034,SC2154 # for the files that load this; output, status, stderr: from bats
# For the files 70-usnic.bats to 72-*.bats: --usnic where there is no NIC. Load after `common`.
#
# What a step sees is real but for the NICs: nodes of the fixture machine two-cpus in /dev/infiniband, which no driver
# serves, and a map of that machine. An allowed one answers ENXIO to open, a denied one EPERM, an absent one ENOENT.
# usnic_0 and usnic_1 (uverbs0, uverbs1) are near CPU 0, usnic_2 and usnic_3 near CPU 1, with three VFs each. The
# cluster's nodes are one host with one state directory, so they share the twelve VFs.

IB=/dev/infiniband
COPIES=/dev/shm/berth-test.$BERTH_SLOT # the same nodes at another path, which everybody can open as far as that goes
HWMAP=${HWMAP:-$BERTH_PREFIX/bin/berth-hwmap}
MKTREE=${MKTREE:-$BERTH_W/build/tests/hwmap/mktree}

# usnic_map FILE [COMMANDS]: the map of two-cpus, after COMMANDS have run in its tree.
usnic_map() {
    local dir
    dir=$(mktemp -d "$BATS_FILE_TMPDIR/tree.XXXXXX")
    "$MKTREE" two-cpus "$dir/sys" && (cd "$dir/sys" && eval "${2:-:}") && "$HWMAP" map --sysfs "$dir/sys" >"$1"
}

usnic_tools() {
    [[ -x $MKTREE ]] || make -C "$BERTH_W/build" tests/hwmap/mktree >/dev/null 2>&1
    [[ -x $MKTREE ]] && "$HWMAP" --version >/dev/null 2>&1
}

# free_misc: a minor of major 10 that no driver has.
free_misc() {
    local n
    for ((n = 250; n > 240; n--)); do grep -q "^ *$n " /proc/misc || break; done
    echo "$n"
}

# usnic_nodes DIR MODE
usnic_nodes() {
    local i
    for i in 0 1 2 3; do mknod -m "$2" "$1/uverbs$i" c 231 $((192 + i)); done
    mknod -m "$2" "$1/umad0" c 231 0
    mknod -m "$2" "$1/issm0" c 231 64
    mknod -m "$2" "$1/rdma_cm" c 10 "$USNIC_CM"
}

usnic_up() {
    usnic_tools && [[ ! -e $IB && $(nproc) -ge 2 ]] || return 0
    USNIC_CM=$(free_misc)
    mkdir "$IB" && echo "$BERTH_W" >"$IB/.berth-test"
    usnic_nodes "$IB" 666
    # shellcheck disable=SC2174
    mkdir -m 755 "$COPIES"
    usnic_nodes "$COPIES" 666
    mknod -m 666 "$COPIES/vfio" c 10 196
    if [[ ! -e /dev/vfio ]]; then
        mkdir /dev/vfio && mknod -m 666 /dev/vfio/vfio c 10 196 && touch "$IB/.vfio"
    fi
    usnic_map "$BERTH_W/usnic.map"
}

usnic_made() { [[ $(cat "$IB/.berth-test" 2>/dev/null) == "$BERTH_W" ]]; }

usnic_down() {
    usnic_made || return 0
    [[ ! -e $IB/.vfio ]] || rm -rf /dev/vfio
    rm -rf "$IB" "$COPIES" "$BERTH_W/usnic.map"
}

# usnic_knobs: for cluster_knobs.
usnic_knobs() {
    usnic_up
    export BERTH_ARGS="map=$BERTH_W/usnic.map preflight=off"
}

# ours KEY=VALUE...: more plugstack arguments, until the test ends.
ours() { args "$BERTH_ARGS" "$@"; }

# Jobs get CPUs from 0 on where no other one has them, and tasks are then kept to them.
if declare -F host >/dev/null; then
    eval "usnic_$(declare -f host)" && eval "usnic_$(declare -f batch)"
    host() { usnic_calm && usnic_host "$@"; }
    batch() { usnic_calm && usnic_batch "$@"; }
fi
usnic_calm() { [[ -n ${BACKGROUND:-} ]] || wait_until 10 no_jobs; }

eval "usnic_$(declare -f setup_file)" && eval "usnic_$(declare -f teardown_file)" && eval "usnic_$(declare -f setup)"
setup_file() {
    usnic_setup_file
    usnic_made || return 0
    # the directory of the leases stays, and its lock
    BERTH_ARGS+=" confine=no" plugstack_write
    as alice srun -Q -w "$(node 1)" --usnic true
    plugstack_write
}
teardown_file() {
    usnic_down
    usnic_teardown_file
}
setup() {
    usnic_made || skip "this host has devices in $IB, or fewer than 2 CPUs, or berth-hwmap is not built"
    usnic_setup
}

# What a task can open, on one line: all in its /dev/infiniband, "|", all copies, each as NAME=ERROR.
# shellcheck disable=SC2016 # expanded in the step
LOOK='try() {
    e=$( { : <"$1"; } 2>&1 )
    case $e in
    "") e=opens ;; *"such device or address"*) e=ENXIO ;; *"such device"*) e=ENODEV ;;
    *"peration not permitted"*) e=EPERM ;; *"ermission denied"*) e=EACCES ;; *) e=ENOENT ;;
    esac
    printf " %s=%s" "${1#$2/}" "$e"
}
all() { for d in "$1"/* "$1"/*/*; do [ ! -e "$d" ] || [ -d "$d" ] || try "$d" "$1"; done; }
printf "sees"; all /dev/infiniband; printf " |"; all '$COPIES'; echo; true'

# sight N...: what LOOK says in a step without an image to a task that was given uverbsN..., of a step that has none
# but these; sight_inside N...: with an image, where what the user brings has no devices.
sight() { usnic_sight EPERM ENODEV "$@"; }
sight_inside() { usnic_sight EACCES EACCES "$@"; }
usnic_sight() {
    local no=$1 cm=$2 n copy line='sees rdma_cm=ENODEV'
    shift 2
    for n; do line+=" uverbs$n=ENXIO"; done
    for n; do line+=" by-ibdev/uverbs-usnic_$n=ENXIO"; done
    line+=" | issm0=$no rdma_cm=$cm umad0=$no"
    for n in 0 1 2 3; do
        copy=$no
        [[ $no == EACCES || " $* " != *" $n "* ]] || copy=ENXIO
        line+=" uverbs$n=$copy"
    done
    echo "$line vfio=$no"
}

# given: of lines "RANK: ... usnic_N ..." from `srun -l --usnic=... printenv BERTH_IBDEV`, the devices in rank order.
given() { sort -n <<<"$output" | sed 's/^ *[0-9]*: usnic_//; s/,usnic_/+/g' | tr '\n' ' ' | sed 's/ $//'; }

# gives SPEC "N N ..." [srun arguments]: the ranks get usnic_N in this order; N+N: both.
gives() {
    local spec=$1 want=$2
    shift 2
    host srun -l -w "$(node 1)" "$@" --usnic="$spec" printenv BERTH_IBDEV
    ok
    [[ $(given) == "$want" ]] || { printf -- '--usnic=%s: expected usnic_ %s, got %s\n' "$spec" "$want" "$(given)"; return 1; }
}
