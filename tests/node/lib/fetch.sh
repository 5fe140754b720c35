# shellcheck shell=bash
# What a virtual node needs from other Debian suites, below $NODE_CACHE: QEMU, and a kernel with its headers. Two of
# these: that of bookworm-backports, and for cgroup v1 that of bookworm, as later ones have no cpuset and memory there.
#
# An apt configuration of its own for each, with an empty list of installed packages: apt then names every library
# that QEMU needs, its libc too. The packages are unpacked, not installed; no maintainer script runs, and QEMU is
# started through its own dynamic loader, so neither a chroot nor a mount is needed. Only the mirror of this machine's
# apt is asked (matrix_mirror).

NODE_CACHE=$(matrix_cache)/node
NODE_QEMU=$NODE_CACHE/qemu

# node_kernel_of v1|v2: sets NODE_SUITE and NODE_KERNEL.
node_kernel_of() {
    NODE_SUITE=bookworm-backports
    [[ $1 == v2 ]] || NODE_SUITE=bookworm
    NODE_KERNEL=$NODE_CACHE/kernel-$NODE_SUITE
}

# node_possible: why there can be no virtual node here, on stdout; status 0 if there can.
node_possible() {
    [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] || { echo "not a Debian amd64 machine"; return 1; }
    [[ -f $NODE_QEMU/ready && -f $NODE_KERNEL/ready || -n $(matrix_mirror) ]] ||
        { echo "apt on this machine names no Debian mirror"; return 1; }
}

# node_apt NAME SUITE...: makes the configuration $NODE_CACHE/apt/NAME and fetches its lists. Later suites may be
# backports; they win only where -t says so.
node_apt() {
    local name=$1 dir=$NODE_CACHE/apt/$1 mirror suite
    shift
    mirror=$(matrix_mirror)
    install -d -m 755 "$dir"/{etc/preferences.d,etc/apt.conf.d,etc/sources.list.d,lists/partial,cache/archives/partial}
    : >"$dir/status"
    for suite; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >"$dir/etc/sources.list"
    {
        printf 'Dir::Etc "%s/etc";\nDir::State "%s";\nDir::State::status "%s/status";\nDir::Cache "%s/cache";\n' \
            "$dir" "$dir" "$dir" "$dir"
        # as the machine's apt fetches
        echo 'Dir::Etc::netrc "/etc/apt/auth.conf"; Dir::Etc::netrcparts "/etc/apt/auth.conf.d";'
        echo 'APT::Sandbox::User "root";'
        matrix_apt_conf
    } >"$dir/apt.conf"
    APT_CONFIG=$dir/apt.conf apt-get -q update
}

# node_unpack DIR DEB...: as dpkg -x, but where a package has /lib and DIR has a link to usr/lib, the link stays.
node_unpack() {
    local dir=$1 deb
    shift
    for deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$dir" --keep-directory-symlink -xf - || return 1
    done
}

# node_root DIR: an empty root with merged /usr.
node_root() {
    local d
    rm -rf --one-file-system "$1"
    install -d -m 755 "$1"
    for d in bin sbin lib lib64; do
        mkdir -p "$1/usr/$d"
        ln -s "usr/$d" "$1/$d"
    done
}

# QEMU 11 of trixie-backports: the first whose virtio-net has SR-IOV.
node_fetch_qemu() {
    local new=$NODE_QEMU.new apt=$NODE_CACHE/apt/qemu
    node_apt qemu trixie trixie-backports || return 1
    APT_CONFIG=$apt/apt.conf apt-get -y -q -t trixie-backports --download-only install \
        qemu-system-x86 seabios ipxe-qemu || return 1
    node_root "$new"
    node_unpack "$new" "$apt"/cache/archives/*.deb || return 1
    rm -rf --one-file-system "$NODE_QEMU" "$apt"
    mv -T "$new" "$NODE_QEMU"
    node_qemu --version || return 1
    touch "$NODE_QEMU/ready"
}

# node_qemu ARGUMENT...: runs QEMU (or says with NODE_QEMU_ARGV, for exec).
node_qemu_argv() {
    NODE_QEMU_ARGV=("$NODE_QEMU/lib64/ld-linux-x86-64.so.2" --library-path "$NODE_QEMU/usr/lib/x86_64-linux-gnu"
        "$NODE_QEMU/usr/bin/qemu-system-x86_64" -L "$NODE_QEMU/usr/share/qemu" -L "$NODE_QEMU/usr/share/seabios")
}
node_qemu() {
    node_qemu_argv
    "${NODE_QEMU_ARGV[@]}" "$@"
}

# The kernel of $NODE_SUITE, with what builds a module for it.
node_fetch_kernel() {
    local new=$NODE_KERNEL.new apt=$NODE_CACHE/apt/kernel v packages
    node_apt kernel bookworm bookworm-backports || return 1
    v=$(node_apt_depends linux-image-amd64 | sed -n 's/^linux-image-//p')
    [[ -n $v ]] || { echo "no linux-image-amd64 in $NODE_SUITE"; return 1; }
    mapfile -t packages < <(node_apt_depends "linux-headers-$v" | grep -E '^linux-(headers|kbuild)-')
    (
        cd "$apt/cache/archives" && rm -f ./*.deb && APT_CONFIG=$apt/apt.conf apt-get -q -t "$NODE_SUITE" download \
            "linux-image-$v" "linux-headers-$v" "${packages[@]}"
    ) || return 1
    node_root "$new"
    node_unpack "$new" "$apt"/cache/archives/*.deb || return 1
    # Its makefile names the common one below /usr/src.
    sed -i "s|^include /usr/src/|include $NODE_KERNEL/usr/src/|" "$new/usr/src/linux-headers-$v/Makefile"
    # With it there, a module gets type information, by a pahole of its release.
    rm -f "$new/usr/src/linux-headers-$v/vmlinux"
    node_modules_plain "$new" "$v" || return 1
    rm -rf --one-file-system "$NODE_KERNEL" "$apt"
    mv -T "$new" "$NODE_KERNEL"
    echo "$v" >"$NODE_KERNEL/ready"
}

# node_apt_depends PACKAGE: the names of what it needs, the first alternative of each.
node_apt_depends() {
    APT_CONFIG=$NODE_CACHE/apt/kernel/apt.conf apt-cache show -t "$NODE_SUITE" --no-all-versions "$1" |
        sed -n 's/^Depends: //p' | tr ',' '\n' | awk '{ print $1 }'
}

# node_modules_plain ROOT VERSION: the modules that a guest loads, without their compression, which costs an emulated
# CPU much time.
node_modules_plain() {
    local file
    depmod -b "$1" "$2" || return 1
    modprobe -d "$1" -S "$2" -a --show-depends --ignore-install "${NODE_MODULES[@]}" | awk '$1 == "insmod" { print $2 }' |
        sort -u | grep '\.xz$' | while read -r file; do xz -d "$file" || exit 1; done || return 1
    depmod -b "$1" "$2"
}

node_kernel_version() { cat "$NODE_KERNEL/ready"; }
