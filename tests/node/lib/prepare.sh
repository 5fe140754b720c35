# shellcheck shell=bash
# Makes ready what a boot needs, once: packages, QEMU, kernel, initramfs, the stand-in usNIC module.

# Loaded in the initramfs: the way to the root directory, and the channels for a command's output.
NODE_MODULES_FIRST=(virtio_pci virtio_console 9p 9pnet_virtio overlay)
# What a guest may load later.
NODE_MODULES=("${NODE_MODULES_FIRST[@]}" virtio_net virtio_rng ib_uverbs ib_umad rdma_ucm rdma_rxe usnic_verbs vfio-pci
    vfio_iommu_type1 squashfs erofs loop fuse cuse ext4 tun veth)

# node_prepare LOG: all of it; one at a time on a machine.
node_prepare() {
    local log=$1 lock
    install -d -m 755 "$NODE_CACHE"
    exec {lock}>"$NODE_CACHE/lock"
    flock "$lock"
    node_prepare_locked "$log"
    set -- $?
    exec {lock}>&-
    return "$1"
}

node_prepare_locked() {
    local log=$1
    if [[ -n $(deps_missing node) ]]; then
        step "packages"
        deps_install "$log" node || return 1
    fi
    if [[ ! -f $NODE_QEMU/ready ]]; then
        step "QEMU of trixie-backports (once)"
        quietly "$log" node_fetch_qemu || return 1
    fi
    if [[ ! -f $NODE_KERNEL/ready ]]; then
        step "kernel and headers of $NODE_SUITE (once)"
        quietly "$log" node_fetch_kernel || return 1
    fi
    NODE_INITRD=$NODE_KERNEL/initrd-$(node_initrd_key)
    if [[ ! -f $NODE_INITRD ]]; then
        step "initramfs (once)"
        quietly "$log" node_initrd_make || return 1
    fi
    NODE_STANDIN=$NODE_KERNEL/standin-$(node_standin_key)
    if [[ ! -f $NODE_STANDIN/ready ]]; then
        step "stand-in usNIC driver (once)"
        quietly "$log" node_standin_make || return 1
    fi
    step_end
}

# node_prune PATTERN: what has not been made lately; newer ones may be in use, from another checkout.
node_prune() { find "$NODE_KERNEL" -maxdepth 1 -name "$1" -mtime +7 -exec rm -rf {} +; }

node_initrd_key() {
    { node_kernel_version; echo "${NODE_MODULES_FIRST[@]}"; cat "$NODE_DIR/guest/initramfs"; } | sha256sum | cut -c1-16
}

node_initrd_make() {
    local dir v old
    v=$(node_kernel_version)
    dir=$(mktemp -d "$NODE_CACHE/tmp.XXXXXX")
    mkdir -p "$dir"/{bin,dev,proc,sys,lib,host,top,new}
    cp /bin/busybox "$dir/bin/busybox"
    install -m 755 "$NODE_DIR/guest/initramfs" "$dir/init"
    # In the order in which they are to be loaded.
    modprobe -d "$NODE_KERNEL" -S "$v" -a --show-depends "${NODE_MODULES_FIRST[@]}" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
        while read -r old; do
            cp "$old" "$dir/lib/" && echo "/lib/${old##*/}" >>"$dir/lib/order" || exit 1
        done || return 1
    (cd "$dir" && find . | cpio -o -H newc --quiet) >"$dir.cpio" || return 1
    rm -rf "$dir"
    node_prune 'initrd-*'
    mv "$dir.cpio" "$NODE_INITRD"
}

node_standin_key() {
    { node_kernel_version; cat "$NODE_DIR"/usnic-standin/*; } | sha256sum | cut -c1-16
}

node_standin_make() {
    local v
    v=$(node_kernel_version)
    node_prune 'standin-*'
    mkdir -p "$NODE_STANDIN"
    cp "$NODE_DIR"/usnic-standin/{Kbuild,*.c} "$NODE_STANDIN/"
    make -C "$NODE_KERNEL/usr/src/linux-headers-$v" M="$NODE_STANDIN" modules || return 1
    gcc -O2 -Wall -o "$NODE_STANDIN/usnic-hold" "$NODE_STANDIN/usnic-hold.c" || return 1
    touch "$NODE_STANDIN/ready"
}
