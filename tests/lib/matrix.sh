# shellcheck shell=bash
# Debian roots of other releases, with the Slurm they ship, in which the cluster tests run as on the host.
#
# A root is kept between runs: $BERTH_TEST_CACHE/root-SUITE (the cache is /var/cache/berth-tests). What decides
# what is in it is hashed, and a root of another recipe is completed or, where that fails, made again by --fresh.
# Only the package mirror that this machine's apt uses is asked, or $BERTH_TEST_MIRROR.

MATRIX_SUITES=(trixie sid)

matrix_cache() { echo "${BERTH_TEST_CACHE:-/var/cache/berth-tests}"; }
matrix_root() { echo "$(matrix_cache)/root-$1"; }

# matrix_mirror: where this machine's apt has its own release's main packages from.
matrix_mirror() {
    local codename
    if [[ -n ${BERTH_TEST_MIRROR:-} ]]; then
        echo "$BERTH_TEST_MIRROR"
        return 0
    fi
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016  # apt expands it
    apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CREATED_BY)' |
        awk -F'|' -v r="$codename" '$2 == r && $3 == "main" && $4 == "Packages" { print $1; exit }'
}

# matrix_apt_conf: how this machine's apt fetches, for the root's.
matrix_apt_conf() {
    apt-config dump | grep -E '^Acquire::(Check-Valid-Until|Check-Date|Retries|ForceIPv|http|https)\b' || :
    echo 'APT::Install-Recommends "no";'
    echo 'Acquire::Languages "none";'
}

# matrix_recipe SUITE: a hash of what decides what is in the root.
matrix_recipe() {
    {
        echo "$1"
        deps_of slurm test root
        matrix_apt_conf
        matrix_mirror
    } | sha256sum | cut -c1-16
}

# matrix_root_make SUITE: the root, unless it is there.
matrix_root_make() {
    local suite=$1 root mirror want
    root=$(matrix_root "$suite")
    want=$(matrix_recipe "$suite")
    [[ $(cat "$root/etc/berth-matrix" 2>/dev/null) == "$want" ]] && return 0
    mirror=$(matrix_mirror)
    [[ -n $mirror ]] || { warn "apt on this machine names no Debian mirror"; return 1; }
    if [[ ! -f $root/etc/debian_version ]]; then
        rm -rf --one-file-system "$root.new"
        install -d -m 755 "$root.new"
        quietly "$MATRIX_W/log/debootstrap.$suite.log" debootstrap --variant=minbase \
            --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$root.new" "$mirror" || return 1
        rm -rf --one-file-system "$root"
        mv -T "$root.new" "$root"
    fi
    # No package may start a daemon: the root shares the host's cgroups and network.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    matrix_apt_conf >"$root/etc/apt/apt.conf.d/90berth"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$root/etc/apt/sources.list"
    matrix_inside "$root" "$MATRIX_W/src/tests/lib/matrix-root" fill "$MATRIX_W/log/packages.$suite.log" || return 1
    echo "$want" >"$root/etc/berth-matrix"
}

# matrix_names ROOT: this machine's names, and a way to ask for more.
matrix_names() {
    local f
    for f in hosts resolv.conf hostname; do [[ ! -e /etc/$f ]] || cat "/etc/$f" >"$1/etc/$f"; done
}

# matrix_inside ROOT CMD...: runs CMD with ROOT as its root directory, in mount and PID namespaces of its own: all
# that it starts ends with it. Paths named in MATRIX_BINDS are the host's.
matrix_inside() {
    local root=$1 cpus cpu
    shift
    matrix_names "$root"
    cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
    cpu=$(matrix_cpu "$cpus")
    taskset -c "$cpu" unshare --mount --pid --fork --kill-child --propagation private \
        taskset -c "$cpus" /bin/bash "$BERTH_LIB/matrix-enter" "$root" "${MATRIX_BINDS[@]}" -- "$@"
}

# matrix_cpu CPUS: where to make the root's mount namespace. Slurm keeps a job's namespace by a bind mount of its file
# (job_container/tmpfs). A kernel takes such a mount only of a namespace with a higher number than that which it is
# mounted in, and since 6.18 each CPU gives out numbers of a series of its own: only below the CPU with the lowest
# series all can be kept. All CPUS if none will do.
matrix_cpu() {
    local cpu
    for ((cpu = 0; cpu < $(nproc --all); cpu++)); do
        taskset -c "$cpu" unshare --mount --propagation private /bin/bash "$BERTH_LIB/matrix-enter" --check "$1" \
            2>/dev/null && echo "$cpu" && return 0
    done
    echo "$1"
}

# matrix_begin: a directory for the build and for the clusters, at one path on the host and in the roots; what the
# clusters of a machine share (slots) is shared with theirs.
matrix_begin() {
    # A short name: paths below it are in values and socket names that have a limit.
    MATRIX_W=$(mktemp -d /var/lib/berth-m.XXXX)
    chmod 755 "$MATRIX_W"
    mkdir "$MATRIX_W/log"
    install -d -m 755 "$(matrix_cache)" "$BERTH_RUN"
    export BERTH_PREFIX=$MATRIX_W/inst BERTH_BASE=$MATRIX_W MKTREE=$MATRIX_W/build/tests/hwmap/mktree
    MATRIX_BINDS=("$(matrix_cache)" "$MATRIX_W" "$BERTH_RUN")
}

# matrix_build: the tree as it is, once. Its copy has the tests that go with it.
# With the fixture machines of the tests of NICs.
matrix_build() {
    BERTH_W=$MATRIX_W tree_build && quietly "$MATRIX_W/log/build.log" make -C "$MATRIX_W/build" tests/hwmap/mktree
}

matrix_end() {
    local rc=$?
    trap '' INT TERM HUP
    step_end
    rm -rf --one-file-system "$MATRIX_W"
    if (($(slots_used) == 0)); then
        users_down
        rmdir "$BERTH_RUN" 2>/dev/null || true
    fi
    exit "$rc"
}
