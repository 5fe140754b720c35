# shellcheck shell=bash
# QEMU's command line: the machine that README.md draws.

NODE_VFS=4              # that each PF can have
NODE_PXB=(0x40 0x10)    # PCI bus of each NUMA node: the kernel meets node 1 first, so its NICs have the lower numbers

# node_mac NODE RAIL FUNCTION: 02:be:72:NODE:RAIL:FUNCTION; rail 9 is the management network.
node_mac() { printf '02:be:72:%02x:%02x:%02x' "$1" "$2" "$3"; }

# node_argv NODE: sets NODE_ARGV for node 1 or 2 of $NODES, with run directory $NODE_W.
# shellcheck disable=SC2054  # QEMU's commas
node_argv() {
    local n=$1 numa f
    node_qemu_argv
    NODE_ARGV=("${NODE_QEMU_ARGV[@]}" -name "berth-node$n" -no-user-config -nodefaults -no-reboot -display none
        -accel tcg,thread=multi -cpu max,la57=off -smp 4,sockets=2,cores=2 -m 2048
        -kernel "$NODE_KERNEL/boot/vmlinuz-$(node_kernel_version)" -initrd "$NODE_INITRD" -append "$(node_cmdline "$n")"
        -device virtio-rng-pci,bus=pcie.0
        -fsdev "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
        -device virtio-9p-pci,bus=pcie.0,fsdev=host,mount_tag=host
        -fsdev "local,id=run,path=$NODE_W/share,security_model=none" -fsdev "local,id=share,path=$NODE_SHARE,security_model=none,multidevs=remap"
        -device virtio-9p-pci,bus=pcie.0,fsdev=run,mount_tag=run -device virtio-9p-pci,bus=pcie.0,fsdev=share,mount_tag=share
        -device virtio-serial-pci,bus=pcie.0,id=serial)
    if [[ $NODE_SHELL == yes ]]; then
        # ^C is the guest's; ^A x ends QEMU.
        NODE_ARGV+=(-chardev stdio,id=tty,mux=on,signal=off -serial chardev:tty -mon chardev=tty)
    else
        NODE_ARGV+=(-serial "file:$NODE_W/console.$n")
    fi
    for f in out err; do
        NODE_ARGV+=(-chardev "file,id=$f,path=$NODE_W/$f.$n" -device "virtserialport,bus=serial.0,chardev=$f,name=$f")
    done
    if [[ $NODE_IOMMU == yes ]]; then
        NODE_ARGV+=(-machine q35,kernel-irqchip=split -device intel-iommu,intremap=on,device-iotlb=on)
    else
        NODE_ARGV+=(-machine q35)
    fi
    node_wire "$n" 9
    node_function "$n" 9 0 pcie.0 ''
    for numa in 0 1; do
        NODE_ARGV+=(-object "memory-backend-ram,id=mem$numa,size=1G"
            -numa "node,nodeid=$numa,cpus=$((2 * numa))-$((2 * numa + 1)),memdev=mem$numa"
            -device "pxb-pcie,id=pxb$numa,bus=pcie.0,bus_nr=${NODE_PXB[numa]},numa_node=$numa"
            -device "pcie-root-port,id=port$numa,bus=pxb$numa,chassis=$((numa + 1))")
        node_wire "$n" "$numa"
        for ((f = NODE_VFS; f > 0; f--)); do
            node_function "$n" "$numa" "$f" "port$numa" ",addr=0x0.0x$f,sriov-pf=pf$numa"
        done
        node_function "$n" "$numa" 0 "port$numa" ",addr=0x0.0x0,id=pf$numa"
    done
}

# node_wire NODE RAIL: what joins this rail's functions to the other node's. Between guests a datagram is a packet; where
# no other node is, it is lost, while a hub without a second port would make the sender wait.
node_wire() {
    NODE_ARGV+=(-netdev "dgram,id=wire$2,local.type=unix,local.path=$NODE_W/wire$2.$1,remote.type=unix,remote.path=$NODE_W/wire$2.$((3 - $1))"
        -netdev "hubport,id=uplink$2,hubid=$2,netdev=wire$2")
}

# node_function NODE RAIL FUNCTION BUS OPTIONS: a NIC, on the hub of its rail.
node_function() {
    NODE_ARGV+=(-netdev "hubport,id=net$2.$3,hubid=$2"
        -device "virtio-net-pci,bus=$4,netdev=net$2.$3,mac=$(node_mac "$1" "$2" "$3"),romfile=$5")
}

node_cmdline() {
    local w=(console=ttyS0 quiet loglevel=4 panic=-1 net.ifnames=0 mitigations=off nokaslr audit=0 apparmor=0
        cryptomgr.notests random.trust_cpu=on rcupdate.rcu_expedited=1 tsc=reliable no_timer_check nowatchdog
        "node.init=$NODE_DIR/guest/init" "node.id=$1")
    [[ $NODE_IOMMU == no ]] || w+=(intel_iommu=on iommu=pt)
    echo "${w[*]}"
}
