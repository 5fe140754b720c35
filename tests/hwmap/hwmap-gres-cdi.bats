#!/usr/bin/env bats
# berth-hwmap gres and cdi: what is printed. tests/cluster/70-hwmap.bats gives it to Slurm.

load common

@test "gres: counts, files, types" {
    for m in c240 eight-rail single kinds; do
        on "$m" gres
        same "$m.gres"
    done
}

@test "gres: --no-files counts, --name" {
    on eight-rail gres --no-files --name nic
    ok
    has 'Name=nic Type=mlx5_core Count=8 Cores=0-63 Flags=CountOnly'
    hasnt File=
}

@test "gres: nothing to give out is exit code 1" {
    on laptop gres
    fails 1 'nothing on this node'
}

@test "gres: cores are Slurm's numbers, not the kernel's CPUs" {
    dir=$BATS_TEST_TMPDIR/tree
    "$MKTREE" c240 "$dir"
    # two threads a core, as firmware likes to number them: CPU n and n + 8
    for ((cpu = 0; cpu < 16; cpu++)); do
        t=$dir/devices/system/cpu/cpu$cpu/topology
        [[ -d $t ]] || skip "the tree has no CPU topology"
        echo $((cpu % 8)) >"$t/core_id"
        echo $((cpu % 8 / 4)) >"$t/physical_package_id"
        mask=$(printf '%x' $((1 << cpu % 8 | 1 << cpu % 8 + 8)))
        for f in thread_siblings core_cpus; do [[ ! -e $t/$f ]] || echo "$mask" >"$t/$f"; done
        [[ $((cpu % 8 / 4)) == 0 ]] && mask=0f0f || mask=f0f0
        for f in core_siblings package_cpus; do [[ ! -e $t/$f ]] || echo "$mask" >"$t/$f"; done
    done
    echo 0-3,8-11 >"$dir/devices/system/node/node0/cpulist"
    echo 4-7,12-15 >"$dir/devices/system/node/node1/cpulist"
    echo 0f0f >"$dir/devices/system/node/node0/cpumap"
    echo f0f0 >"$dir/devices/system/node/node1/cpumap"
    find "$dir/devices" -name local_cpulist | while read -r f; do
        if [[ $(<"$f") == 0-7 ]]; then list=0-3,8-11 mask=0f0f; else list=4-7,12-15 mask=f0f0; fi
        echo "$list" >"$f"
        echo "$mask" >"${f%list}s"
    done
    hwmap gres --sysfs "$dir"
    ok
    has 'Count=256 Cores=0-7 '
    # without one of the packages' NICs
    rm "$dir"/class/infiniband/usnic_[23] "$dir"/class/infiniband_verbs/uverbs[23]
    for n in 0 1; do echo 0 >"$dir/class/infiniband/usnic_$n/device/sriov_numvfs"; done
    hwmap gres --sysfs "$dir" --json
    ok
    [[ $(json '[l["cores"] for l in j if l["count"] == 128]') == "['0-3']" ]]
}

@test "gres: cores are those of one socket or all, as Slurm counts sockets" {
    dir=$BATS_TEST_TMPDIR/tree
    # sub-NUMA clusters: mlx5_0 is near to cores 4-7, mlx5_1 to 8-15
    "$MKTREE" snc "$dir"
    hwmap gres --sysfs "$dir"
    ok
    has 'Count=2 Cores=0-15 '
    rm "$dir/class/infiniband/mlx5_1"
    hwmap gres --sysfs "$dir"
    ok
    has 'Count=1 Cores=0-7 '
    has 'SlurmdParameters=numa_node_as_socket'
    hwmap gres --socket=numa --sysfs "$dir"
    ok
    has 'Count=1 Cores=4-7 '
    hasnt SlurmdParameters
    hwmap gres --socket=l3cache --sysfs "$dir"
    fails 3 'this machine shows no L3Cache'
    hwmap gres --socket=die --sysfs "$dir"
    fails 2 '--socket: die: expected package, numa or l3cache'
}

# cdi_check: the output against the rules of the CDI specification's schema.json, and of its parser for names.
cdi_check() {
    python3 - "$@" <<'END'
import json, re, sys
spec = json.load(open(sys.argv[1]))
name = r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?"
part = r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?"
assert set(spec) <= {"cdiVersion", "kind", "annotations", "devices", "containerEdits"}, spec.keys()
version = tuple(int(n) for n in spec["cdiVersion"].split("."))
assert (0, 6, 0) <= version <= (1, 1, 0), version
vendor, kind = spec["kind"].split("/")
assert re.fullmatch(part, vendor) and "." in vendor and re.fullmatch(part, kind), spec["kind"]

def edits(e):
    assert e and set(e) <= {"env", "deviceNodes", "netDevices", "mounts", "hooks", "intelRdt", "additionalGids"}, e
    assert "netDevices" not in e or version >= (1, 1, 0)
    for node in e["deviceNodes"]:
        assert set(node) <= {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}, node
        assert node["path"].startswith("/dev/") and ".." not in node["path"], node
        assert node.get("type", "c") in ("b", "c", "u", "p"), node
        assert re.fullmatch("[rwm]*", node.get("permissions", "")), node

assert spec["devices"]
names = [d["name"] for d in spec["devices"]]
assert len(set(names)) == len(names), names
for d in spec["devices"]:
    assert set(d) <= {"name", "annotations", "containerEdits"}, d
    assert re.fullmatch(name, d["name"]), d["name"]
    edits(d["containerEdits"])
if "containerEdits" in spec:
    edits(spec["containerEdits"])
END
}

@test "cdi: by the specification's rules" {
    for m in c240 many-vfs eight-rail single kinds hostile big; do
        on "$m" cdi
        ok
        echo "$output" >"$BATS_TEST_TMPDIR/spec"
        cdi_check "$BATS_TEST_TMPDIR/spec"
    done
}

@test "cdi: c240, kinds" {
    for m in c240 kinds; do
        on "$m" cdi
        same "$m.cdi.json"
    done
}

@test "cdi: rdma_cm where the kernel has it" {
    dir=$BATS_TEST_TMPDIR/tree
    "$MKTREE" c240 "$dir"
    mkdir -p "$dir/class/misc/rdma_cm"
    hwmap cdi --sysfs "$dir"
    ok
    [[ $(json 'j["containerEdits"]["deviceNodes"][0]["path"]') == /dev/infiniband/rdma_cm ]]
    hwmap capture --sysfs "$dir" "$BATS_TEST_TMPDIR/c"
    before=$output
    hwmap cdi --sysfs "$BATS_TEST_TMPDIR/c"
    has rdma_cm
}

@test "cdi: no node is exit code 1" {
    on laptop cdi
    fails 1 'no NIC of this node has a device node'
}

@test "cdi: podman gives a container the node of the NIC that it names" {
    command -v podman >/dev/null && command -v crun >/dev/null || skip "podman and crun are not installed"
    command -v busybox >/dev/null || skip "busybox is not installed"
    ((EUID == 0)) || skip "needs root"
    on c240 cdi
    ok
    cd "$BATS_TEST_TMPDIR"
    mkdir -p root/{bin,dev,proc,sys,tmp,etc,run}
    cp "$(command -v busybox)" root/bin/busybox
    echo "$output" >berth.json
    # Debian 12's podman reads no version above 0.5.0; nothing newer is in the file
    if [[ $(podman --version) =~ \ [0-3]\.|\ 4\.[0-5]\. ]]; then sed -i 's/"0\.6\.0"/"0.5.0"/' berth.json; fi
    cat >inside <<'END'
set -e
mount -t tmpfs tmpfs /run && mkdir /run/cdi /run/dev
cp berth.json /run/cdi/
mount -t tmpfs tmpfs /run/dev
cp -a /dev/. /run/dev/ 2>/dev/null || :
mkdir -p /run/dev/infiniband
for n in 0 1 2 3; do rm -f /run/dev/infiniband/uverbs$n; mknod /run/dev/infiniband/uverbs$n c 231 $((192 + n)); done
for d in pts shm mqueue; do if [ -d /dev/$d ]; then mount --rbind /dev/$d /run/dev/$d; fi; done
mount --move /run/dev /dev
mount -t cgroup2 none /sys/fs/cgroup
exec timeout 60 podman --root /run/pod --runroot /run/podrun --storage-driver vfs --cgroup-manager cgroupfs \
    --events-backend none --runtime crun run --rm --network none --cgroups disabled --ulimit nofile=1024:1024 \
    --ulimit nproc=1024:1024 --device berth.io/nic=usnic_1 --rootfs "$PWD/root" \
    /bin/busybox ls -l /dev/infiniband
END
    run unshare --mount --propagation private bash inside
    [[ $status == 0 ]] || { printf '%s\n' "$output"; [[ $output != *"not permitted"* && $output != *"not supported"* ]] || skip "podman cannot run here"; false; }
    has '231, 193'
    has uverbs1
    hasnt uverbs0
}
