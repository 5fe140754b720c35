#!/usr/bin/env bats
# berth-hwmap on a node that has NICs, VFs and RDMA devices, beside what lspci, lstopo, rdma and sysfs say of it.

bats_require_minimum_version 1.5.0
load common

HWMAP=${HWMAP:-${BERTH_PREFIX:-}/bin/berth-hwmap}

setup_file() {
    node_ready || return 0
    [[ -x $HWMAP ]] || { echo "no build in BERTH_PREFIX" >"$BATS_FILE_TMPDIR/skip"; return 0; }
    node_boot map bash "$NODE_DIR/inside/20-hwmap"
}

setup() {
    node_needed
    [[ $(node_rc map) == 0 ]]
    cd "$(node_dir map)" || return
}

# fine NAME...: that call's exit code was 0, and it said nothing beside.
fine() {
    local n
    for n; do
        cat "$n.err" >&2
        [[ $(cat "$n.rc") == 0 && ! -s $n.err ]] || return 1
    done
}

# py SCRIPT ARG...: Python, with a loader for what list printed.
py() { python3 -c "
import json, sys
def load(f): return json.load(open(f))
def by(l, k): return {d[k]: d for d in l if d[k]}
$1" "${@:2}"; }

@test "list: names, nodes, numbers and NUMA nodes are those of sysfs" {
    fine list.json list.txt
    py '
nics = [l.split() for l in open("nics")]
got = by(load("list.json"), "ibdev")
assert len(got) == len(nics) == 6, got
for numa, function, pci, netdev, carrier, rdma, uverbs, dev in nics:
    d = got[rdma]
    assert (d["pci"], d["netdev"], d["uverbs"], d["dev"], d["numa"]) == (pci, netdev, uverbs, dev, int(numa)), d
    assert d["role"] == ("pooled" if function == "pf" else "vf"), d
    assert d["state"] == "active" and carrier == "1", d
'
}

@test "list: driver, CPUs and capacity are those of sysfs" {
    py '
pci = {l.split()[0]: l.split()[1:] for l in open("pci")}
most = {l.split()[0]: [int(n) for n in l.split()[1:]] for l in open("max_vf")}
for d in load("list.json"):
    numa, cpus, driver = pci[d["pci"]]
    assert (str(d["numa"]), d["cpus"], d["driver"]) == (numa, cpus, driver), d
    vfs, qp = most.get(d["ibdev"], (1, 0))
    assert (d["vfs_total"], d["vfs_free"], d["qp_per_vf"]) == (vfs, vfs, qp), d
    assert d["sriov_num"] == (2 if d["role"] == "pooled" else 0), d
'
}

@test "list: rdma sees the same devices on the same netdevs" {
    py '
links = {l["ifname"]: l for l in load("rdma.json")}
got = by(load("list.json"), "ibdev")
assert set(links) == set(got)
for name, l in links.items():
    assert got[name]["netdev"] == l["netdev"] and got[name]["state"] == l["state"].lower(), l
'
}

@test "list: lspci has the functions, lstopo puts them at the same NUMA node" {
    py '
lspci = {l.split()[0] for l in open("lspci.txt") if "Ethernet" in l}
place, numa = {}, None
for l in open("lstopo.txt"):
    w = l.split()
    if w[0] == "NUMANode": numa = int(w[2].strip("(P#"))
    if w[0] == "PCI" and numa is not None: place["0000:" + w[1]] = numa
for d in load("list.json"):
    assert d["pci"] in lspci and place[d["pci"]] == d["numa"], d
# whatever is a NIC below a NUMA node is in the list
assert {d["pci"] for d in load("list.json")} == {p for p in lspci if not p.startswith("0000:00:")}
'
}

@test "numbers of NICs are not in the order of NUMA nodes, and nobody falls for it" {
    py '
got = by(load("list.json"), "ibdev")
assert (got["usnic_0"]["numa"], got["usnic_1"]["numa"]) == (1, 0)
pick = load("pick.json")
assert [d["ibdev"] for r in pick for d in r["devices"]] == ["usnic_1", "usnic_0"], pick
assert [r["distance"] for r in pick] == [10, 10], pick
# the ranks the other way round
pick = load("pick-rxe.json")
assert [d["netdev"] for r in pick for d in r["devices"]] == ["enp17s0f0v0", "enp65s0f0v0"], pick
'
    fine pick.json pick-rxe.json
}

@test "pick: what cannot be is refused" {
    cat pick-local pick-local.err >&2
    [[ $(cat pick-local.rc) != 0 ]]
    grep -q . pick-local.err
}

@test "nobody, without any right, sees the same" {
    cat nobody.err >&2
    cmp list.json nobody.json
}

@test "tree: each NIC below its package and bridge" {
    fine tree
    run -0 cat tree
    local i place='' pf=()
    for i in "${lines[@]}"; do
        [[ ! $i =~ NUMA\ node\ ([01]) ]] || place=${BASH_REMATCH[1]}
        [[ ! $i =~ bridge\ (0000:[14]0:00\.0) ]] || pf+=("$place ${BASH_REMATCH[1]}")
        [[ ! $i =~ (usnic_[01]).*(0000:[14]1:00\.0).*active ]] || pf+=("$place ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}")
    done
    [[ ${pf[*]} == "0 0000:40:00.0 0 usnic_1 0000:41:00.0 1 0000:10:00.0 1 usnic_0 0000:11:00.0" ]]
}

@test "gres: as many as there are VFs" {
    fine gres
    py '
lines = [dict(f.split("=") for f in l.split()) for l in open("gres") if l.startswith("Name=")]
assert sum(int(w["Count"]) for w in lines) == sum(d["vfs_total"] for d in load("list.json")), lines
assert {w["Type"] for w in lines} == {d["driver"] for d in load("list.json")}, lines
'
}

@test "list: what a process has open is not free, and it says who has it" {
    py '
d = by(load("held.json"), "ibdev")["usnic_1"]
# seven queue pairs take two VFs of six each
assert (d["vfs_total"], d["vfs_free"], d["busy"]) == (2, 0, 2), d
assert by(load("held.json"), "ibdev")["usnic_0"]["vfs_free"] == 2
'
}

@test "VFs come and go while it looks: never a crash, each answer is one that could have been" {
    cat churn.log >&2
    (($(grep -cx 0 churn.log) >= 3))
    [[ ! -s faults ]]
    py '
import glob
whole = by(load("list.json"), "pci")
seen = set()
for f in glob.glob("churn.*.json"):
    assert open(f + ".rc").read() == "0\n", (f, open(f + ".err").read())
    devices = load(f)
    names = [d["ibdev"] for d in devices if d["ibdev"]]
    assert len(names) == len(set(names)), f
    assert {"usnic_0", "usnic_1"} <= set(names), f
    for d in devices:
        w = whole[d["pci"]]
        assert (d["pf"], d["numa"], d["cpus"]) == (w["pf"], w["numa"], w["cpus"]), (f, d)
        assert 0 <= d["vfs_free"] <= d["vfs_total"], (f, d)
        if d["ibdev"]: assert d["ibdev"] == w["ibdev"], (f, d)
    seen.add(len(devices))
print("devices seen:", sorted(seen))
assert 2 in seen, seen
'
    local verb
    for verb in tree gres pick capture; do
        cat "churn.$verb.err" >&2
        # in a moment without VFs there is nothing to give out
        [[ $(cat "churn.$verb.rc") == 0 ]] || grep -qE 'nothing on this node|no device that could' "churn.$verb.err"
    done
    # with all VFs back, all is back: only the numbers of uverbs nodes may have changed
    fine after.json
    py '
def rest(f): return [{k: v for k, v in d.items() if k not in ("uverbs", "dev")} for d in load(f)]
assert rest("after.json") == rest("list.json")
'
}

@test "a capture that was taken there says the same here" {
    cat capture.err >&2
    [[ $(cat capture.rc) == 0 ]]
    mkdir node.d churn.d
    tar -C node.d --strip-components=1 -xf node.tar
    "$HWMAP" list --json --sysfs node.d >here.json
    cmp list.json here.json
    LC_ALL=C.UTF-8 "$HWMAP" tree --sysfs node.d | diff - tree
    "$HWMAP" pick --cpus 0-1 --cpus 2-3 --json --sysfs node.d | cmp - pick.json
    # one that was taken while VFs came and went can be read
    tar -C churn.d --strip-components=1 -xf churn.tar
    "$HWMAP" list --json --sysfs churn.d >/dev/null
}
