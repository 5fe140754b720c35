# shellcheck shell=bash
# What a guest's programs share: where its NICs are.

# pf_of NUMA: sysfs directory of the PF at that NUMA node.
pf_of() {
    local pf numa
    for pf in /sys/bus/pci/devices/*/sriov_totalvfs; do
        read -r numa <"${pf%/*}/numa_node"
        [[ $numa != "$1" ]] || { echo "${pf%/*}"; return 0; }
    done
    return 1
}

# vf_of NUMA INDEX: sysfs directory of a VF, which are counted from 0.
vf_of() { readlink -f "$(pf_of "$1")/virtfn$2"; }

# netdev_of DIR: the netdev of a PCI function; virtio has a device of its own in between.
netdev_of() {
    local dev
    for dev in "$1"/net/* "$1"/virtio*/net/*; do
        [[ -e $dev ]] || continue
        echo "${dev##*/}"
        return 0
    done
    return 1
}

# netdev_name PF FUNCTION: what udev would call a PF's netdev (function 0) or that of its VF FUNCTION - 1.
netdev_name() {
    local bus=${1##*/}
    bus=${bus#*:}
    printf 'enp%ds0f0' $((16#${bus%%:*}))
    (($2 == 0)) || printf 'v%d' $(($2 - 1))
}
