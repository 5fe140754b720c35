# shellcheck shell=bash
# Installs the Debian packages that the tests need, when they are missing, and starts no daemon by that.

# deps_of GROUP...: what each group needs. a|b is either name (Debian releases differ).
deps_of() {
    local g
    for g; do
        case $g in
        build) printf '%s\n' gcc make autoconf automake libtool pkg-config check libjson-c-dev libhwloc-dev libnl-3-dev libslurm-dev ;;
        slurm) printf '%s\n' slurmctld slurmd slurm-client slurmrestd munge 'libpmix2|libpmix2t64' util-linux procps ;;
        test) printf '%s\n' bats curl squashfs-tools squashfuse erofs-utils e2fsprogs strace bindfs podman crun libnss-extrausers gcc libc6-dev ;;
        fuzz) printf '%s\n' clang libclang-rt-dev ;;
        # in a root of tests/matrix: what berth's programs need there, and tests that compile a tool
        root) printf '%s\n' libjson-c5 libhwloc15 'libnl-3-200|libnl-3-200t64' erofsfuse gcc libc6-dev libslurm-dev python3 ;;
        matrix) printf '%s\n' debootstrap debian-archive-keyring ;;
        node)
            printf '%s\n' gcc libc6-dev make kmod xz-utils cpio busybox-static debian-archive-keyring libelf1 iproute2 \
                rdma-core ibverbs-utils libibverbs-dev perftest pciutils 'hwloc-nox|hwloc' util-linux procps
            ;;
        images) printf '%s\n' debootstrap python3 busybox-static musl-tools libopenmpi-dev libmpich-dev ;;
        esac
    done
}

deps_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
deps_known() { [[ -n $(apt-cache show --no-all-versions "$1" 2>/dev/null) ]]; }

# deps_missing GROUP...: one name for each package that is not installed.
deps_missing() {
    local any p names
    while IFS='|' read -ra names; do
        any=''
        for p in "${names[@]}"; do deps_installed "$p" && continue 2; done
        for p in "${names[@]}"; do deps_known "$p" && any=${any:-$p}; done
        echo "${any:-${names[0]}}"
    done < <(deps_of "$@")
}

# deps_install LOG GROUP...: installs what is missing, quietly.
deps_install() {
    local log=$1 missing
    shift
    mapfile -t missing < <(deps_missing "$@")
    ((${#missing[@]})) || return 0
    note "installing: ${missing[*]}"
    apt_cannot_start_daemons quietly "$log" apt_install "${missing[@]}"
}

# apt_install PACKAGE...: with a package list as old as it is, and once more with a fresh one if that fails.
apt_install() {
    local opts=(-y -q --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120)
    DEBIAN_FRONTEND=noninteractive apt-get "${opts[@]}" install "$@" && return 0
    apt-get -q -o DPkg::Lock::Timeout=120 update &&
        DEBIAN_FRONTEND=noninteractive apt-get "${opts[@]}" install "$@"
}

# apt_cannot_start_daemons CMD...: while CMD runs, policy-rc.d forbids every package's start, stop and restart of a
# service: a Slurm or munge already on the machine is not touched, a new one is not started. The site's own
# policy-rc.d, if there is one, comes back afterwards.
apt_cannot_start_daemons() {
    local policy=/usr/sbin/policy-rc.d saved='' rc=0
    if [[ -e $policy || -L $policy ]]; then
        saved=$(mktemp -u "$policy.berth-XXXXXX")
        mv "$policy" "$saved"
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@" || rc=$?
    if [[ -n $saved ]]; then mv "$saved" "$policy"; else rm -f "$policy"; fi
    return "$rc"
}
