#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what stands in '' is expanded in the step; every test is a subshell
# --usnic: what each task gets, and how it is asked for.

load common
load rows
load user
load usnic
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes
cluster_knobs() { usnic_knobs; }

BOUND="--cpu-bind=map_cpu:0,1"

# ---- what there is ----

@test "row 20: each rank sees and opens the NIC near its CPU, and nothing else by any path: bare" {
    host srun -l -n2 -w "$(node 1)" "$BOUND" --usnic sh -c "$LOOK"
    ok
    silent
    output=$(sort <<<"$output")
    is "0: $(sight 0)"$'\n'"1: $(sight 2)"
}

@test "row 20: likewise in the site's image, a user's own one, and a directory" {
    local img
    for img in "$(image tiny.sqsh)" "$(image_of alice tiny.sqsh)" "$(image bundle)"; do
        host srun -l -n2 -w "$(node 1)" "$BOUND" --usnic --container="$img" sh -c "$LOOK"
        ok
        silent
        output=$(sort <<<"$output")
        is "0: $(sight_inside 0)"$'\n'"1: $(sight_inside 2)"
    done
}

# Owner, mode and number of everything in /dev/infiniband; whether something can be made there; /dev/vfio.
NODES='cd /dev/infiniband; stat -c "%n %U %a %t:%T" rdma_cm uverbs*; readlink by-ibdev/*; stat -c "%U %a" . by-ibdev
    touch x 2>/dev/null || mknod x c 231 193 2>/dev/null || rm -f uverbs0 2>/dev/null || echo closed
    mknod /tmp/x.$$ c 231 193 2>/dev/null || echo no mknod
    ls -A /dev/vfio 2>/dev/null'

@test "row 20: the nodes are the user's alone, and nothing can be made beside them" {
    local want
    want="rdma_cm berthalice 600 a:$(stat -c %T "$IB/rdma_cm")"$'\nuverbs0 berthalice 600 e7:c0\n../uverbs0
root 755\nroot 755\nclosed\nno mknod'
    want=${want//\\n/$'\n'}
    host srun --usnic sh -c "$NODES"
    is "$want"
    inside base.sqsh --usnic -- sh -c "$NODES"
    is "$want"
    inside base.sqsh --usnic --container-writable -- sh -c "$NODES"
    is "$want"
}

@test "row 20: what a user mounts gives nothing more" {
    local other
    for other in "$IB/uverbs1" "$IB/uverbs1:$IB/uverbs1"; do
        inside base.sqsh --usnic --container-mounts="$other" -- sh -c "$LOOK"
        ok
        is "$(sight_inside 0)"
    done
    for other in "$COPIES/uverbs1" "$IB:/c" "$COPIES:/c" "$COPIES/uverbs1:/c" /dev:/c; do
        inside base.sqsh --usnic --container-mounts="$other" -- true
        fails
        says "mount "
    done
}

@test "row 20: another process's root leads to no other device" {
    local to
    for to in /proc/1/root '/proc/$PPID/root' '/proc/self/root'; do
        host srun --usnic sh -c ": <$to$IB/uverbs1"
        fails
        [[ $stderr != *"device or address"* ]] || { echo "$stderr"; false; }
    done
}

@test "row 20: writing is refused like reading" {
    host srun --usnic sh -c "for n in 0 1; do dd if=/dev/null of=$COPIES/uverbs\$n conv=nocreat,notrunc count=0; done; true"
    [[ $(grep -c 'No such device or address' <<<"$stderr") == 1 && $(grep -c 'Operation not permitted' <<<"$stderr") == 1 ]]
}

@test "per=node: all ranks see the same, one of them or several" {
    host srun -n2 -w "$(node 1)" --usnic=per=node sh -c "$LOOK"
    is "$(sight 0)"$'\n'"$(sight 0)"
    host srun -n2 -w "$(node 1)" --usnic=2,per=node sh -c "$LOOK"
    is "$(sight 0 1)"$'\n'"$(sight 0 1)"
}

@test "two NICs a rank" {
    host srun -l -n2 -w "$(node 1)" "$BOUND" --usnic=2 sh -c "$LOOK"
    output=$(sort <<<"$output")
    is "0: $(sight 0 1)"$'\n'"1: $(sight 2 3)"
}

@test "16 ranks of two nodes, more than there are VFs for one each, share two NICs by per=node" {
    host srun -N2 --ntasks-per-node=8 --usnic=2,per=node printenv BERTH_UVERBS
    ok
    [[ $(sort <<<"$output" | uniq -c | tr -s ' ') == $' 8 uverbs0,uverbs1\n 8 uverbs2,uverbs3' ]] || { echo "$output"; false; }
}

# ---- who gets which ----

@test "policies" {
    local four=(-n4 "--cpu-bind=map_cpu:0,1,0,1") near=(-n4 "--cpu-bind=map_cpu:0")
    gives 1 "0 2 1 3" "${four[@]}"
    gives policy=prefer "0 2 1 3" "${four[@]}"
    gives policy=local "0 2 1 3" "${four[@]}"
    gives policy=rail "0 1 2 3" "${four[@]}"
    gives rail=2 "0 1 0 1" "${four[@]}"
    gives count=2 "0+1 2+3 0+1 2+3" "${four[@]}"
    gives policy=prefer "0 0 1 1" "${near[@]}"
    gives policy=spread "0 1 2 3" "${near[@]}"
}

@test "policy=local fails where the near NICs are full; prefer goes on to the far ones" {
    gives 1 "0 0 0 1 1 1 2" -n7 --cpu-bind=map_cpu:0
    host srun -n7 -w "$(node 1)" --cpu-bind=map_cpu:0 --usnic=policy=local true
    fails
    says "7 slots are asked for of the NICs nearest to some ranks (7 ranks, 1 each), 6 free: usnic_0 3 of 3, usnic_1 3 of 3"
}

@test "device=" {
    local two=(-n2 "$BOUND") p
    gives 'device=usnic_3' "3 3" "${two[@]}"
    gives 'device=usnic_[12]' "1 2" "${two[@]}"
    gives 'device=!usnic_0' "1 2" "${two[@]}"
    gives 'device=usnic_1|usnic_3' "1 3" "${two[@]}"
    for p in enp7s0f0 uverbs1 0000:07:00.0 '*:07:*'; do gives "device=$p" "1 1" "${two[@]}"; done
    gives 'device=enic' "0 2" "${two[@]}"
    host srun --usnic=device=usnic_9 true
    fails
    says 'no device matches "usnic_9"; there are usnic_0, usnic_1, usnic_2, usnic_3'
}

@test "explain says who got what, how near, and why; and what was not given" {
    host srun -n2 -w "$(node 1)" "$BOUND" --usnic=explain,device='!usnic_3' true
    ok
    run cat <<<"$stderr"
    lines 4
    has "berth: $(node 1): --usnic: rank 0: usnic_0 (uverbs0, enp6s0f0, NUMA node 0), distance 10: same NUMA node 0"
    has "berth: $(node 1): --usnic: rank 1: usnic_2 (uverbs2, enp8s0f0, NUMA node 1), distance 10: same NUMA node 1"
    has "--usnic: not given: usnic_1 (NUMA node 0)"
    has "--usnic: not given: usnic_3 (NUMA node 1)"
    host srun -w "$(node 1)" -c2 --cpu-bind=map_cpu:1 --usnic=explain,device=usnic_0 true
    ok
    run grep 'rank 0' <<<"$stderr"
    has "distance 21"
}

@test "a NIC whose link is down is not given; with preflight=warn it is, with a line" {
    usnic_map "$BERTH_W/usnic-down.map" 'echo "1: DOWN" >class/infiniband/usnic_3/ports/1/state'
    ours map="$BERTH_W/usnic-down.map" preflight=strict
    # (where memory cannot be locked either, the step fails after that)
    host srun -n2 -w "$(node 1)" --cpu-bind=map_cpu:1 --usnic=device='usnic_[23]',explain true
    run cat <<<"$stderr"
    has "rank 0: usnic_2"
    has "rank 1: usnic_2"
    has "not given: usnic_3: its link is not up"
    ours map="$BERTH_W/usnic-down.map" preflight=warn
    host srun -w "$(node 1)" --usnic=device=usnic_3 true
    ok
    run grep link <<<"$stderr"
    has "warning: --usnic: usnic_3 is given although its link is not up (preflight=warn)"
    ours map="$BERTH_W/usnic-down.map" preflight=strict
    host srun --usnic=device=usnic_3 true
    fails
    says usnic_3
    rm "$BERTH_W/usnic-down.map"
}

@test "a port that is not active is not given, and with preflight=warn given last" {
    usnic_map "$BERTH_W/usnic-init.map" 'echo "2: INIT" >class/infiniband/usnic_3/ports/1/state'
    ours map="$BERTH_W/usnic-init.map" preflight=warn
    host srun -w "$(node 1)" -c2 --cpu-bind=map_cpu:1 --usnic=device='usnic_[13]',explain true
    ok
    run cat <<<"$stderr"
    has "rank 0: usnic_1"
    has "usnic_3 is down"
    has "not given: usnic_3: its link is not up"
    ours map="$BERTH_W/usnic-init.map" preflight=strict
    host srun -w "$(node 1)" --usnic=device=usnic_3 true
    fails
    says usnic_3
    rm "$BERTH_W/usnic-init.map"
}

# ---- how it is asked for ----

@test "--usnic=help prints the words and ends, without a job" {
    local w
    host srun --usnic=help true
    ok
    silent
    for w in count= per= device= policy=prefer policy=local policy=spread policy=rail rail=N wait= batch explain none help; do
        has "$w"
    done
}

# A batch script and what its steps get.
SCRIPT='echo "script: ${BERTH_IBDEV:-none}"
srun -Q sh -c "echo step: \$BERTH_IBDEV"
srun -Q --usnic sh -c "echo one: \$BERTH_IBDEV"
srun -Q --usnic=none sh -c "echo none: \${BERTH_IBDEV:-none}; ls '"$IB"'"
srun -Q --container="$IMG" sh -c "echo image: \$BERTH_IBDEV; ls '"$IB"'"'

@test "sbatch: #SBATCH --usnic is for the steps of the script; one may say something else" {
    ENV=(IMG="$(image tiny.sqsh)")
    batch <<<"#!/bin/sh"$'\n'"#SBATCH --usnic=2 -w $(node 1)"$'\n'"$SCRIPT"
    ok
    is "$(printf '%s\n' 'script: none' 'step: usnic_0,usnic_1' 'one: usnic_0' 'none: none' "$(ls "$IB")" \
        'image: usnic_0,usnic_1' by-ibdev rdma_cm uverbs0 uverbs1)"
}

@test "sbatch --usnic=batch: the script has devices, too" {
    batch -w "$(node 1)" --usnic=batch --wrap "$LOOK"
    ok
    is "$(sight 0)"
    batch -w "$(node 1)" --usnic=batch --container="$(image tiny.sqsh)" --wrap "$LOOK"
    ok
    is "$(sight_inside 0)"
}

@test "what a batch script was given is not what its steps say, but what it sets itself is" {
    batch -w "$(node 1)" --usnic=batch,device=usnic_0 <<'END'
#!/bin/sh
say='echo ${BERTH_IBDEV:-none} ${BERTH_UVERBS:-none} ${OMPI_MCA_btl_usnic_if_include:-none}'
sh -c "$say"
srun -Q --usnic=device=usnic_3 sh -c "$say"
srun -Q --usnic=none sh -c "$say"
export OMPI_MCA_btl_usnic_if_include=mine
srun -Q --usnic=device=usnic_2 sh -c "$say"
END
    ok
    is "$(printf '%s\n' 'usnic_0 uverbs0 usnic_0' 'usnic_3 uverbs3 usnic_3' 'none none none' 'usnic_2 uverbs2 mine')"
}

@test "salloc: for its steps; the shell on the node has none unless it says batch" {
    drop_in "$BERTH_TOP/tests/tools/terminal" "$(own alice bin)"
    host salloc -Q -w "$(node 1)" --usnic=2 srun printenv BERTH_IBDEV
    is usnic_0,usnic_1
    for spec in 1 batch; do
        run as alice SHELL=/bin/sh /usr/bin/python3 "$BERTH_W/work/bin/terminal" 30x200 salloc -w "$(node 1)" --usnic="$spec" <<END
expect Granted
send echo "<\${BERTH_IBDEV:-none}>"
expect $([[ $spec == batch ]] && echo '<usnic_0>' || echo '<none>')
send exit
END
        ((status == 0)) || { echo "$output"; return 1; }
    done
}

@test "BERTH_USNIC does the same, and the option beats it" {
    ENV=(BERTH_USNIC=2)
    host srun printenv BERTH_IBDEV
    is usnic_0,usnic_1
    host srun --usnic printenv BERTH_IBDEV
    is usnic_0
    host srun --usnic=none sh -c 'echo ${BERTH_IBDEV:-none}'
    is none
    ENV=(BERTH_USNIC=bogus)
    host srun true
    fails
    says 'BERTH_USNIC: "bogus": expected N, count='
}

# A submit side that does not load the plugin, as with Slurm's REST interface.
bare() {
    local dir=$BERTH_W/work/bare
    install -d "$dir"
    sed "s|^PlugStackConfig=.*|PlugStackConfig=$dir/plugstack.conf|" "$SLURM_CONF" >"$dir/slurm.conf"
    cp "$BERTH_W/conf/cgroup.conf" "$dir"
    : >"$dir/plugstack.conf"
    chmod -R a+rX "$dir"
    ENV=(SLURM_CONF="$dir/slurm.conf" "$@")
}

@test "a job by variables alone, which no submit side has looked at" {
    bare BERTH_USNIC=2
    host srun printenv BERTH_IBDEV
    is usnic_0,usnic_1
    bare BERTH_USNIC=1 BERTH_CONTAINER_IMAGE="$(image tiny.sqsh)"
    host srun sh -c "$LOOK"
    is "$(sight_inside 0)"
    for v in bogus 65 count=0 1,1 "$(head -c 5000 /dev/zero | tr '\0' 1)" $'1\e[31m'; do
        bare SLURM_BERTH_USNIC="$v"
        host srun echo ran
        fails
        hasnt ran
        says "$(node 1): "
    done
    wait_until 10 nodes_are idle
}

@test "two nodes: each rank has its node's" {
    host srun -N2 --ntasks-per-node=1 --usnic sh -c 'echo $SLURMD_NODENAME; ls -d /dev/infiniband/uverbs?'
    ok
    [[ $(sort -u <<<"$output" | grep -c uverbs) -ge 1 && $(grep -c uverbs <<<"$output") == 2 ]]
    has "$(node 2)"
}

@test "a step that joins another's container has none of its own" {
    local dir job
    dir=$(own alice hold)
    background srun --job-name="usnic$BERTH_SLOT" -w "$(node 1)" --container="$(image tiny.sqsh)" --usnic \
        --container-mounts="$dir:/mnt" sh -c 'touch /mnt/up; exec sleep 100'
    step_runs "$dir/up"
    job=$(squeue -h -n "usnic$BERTH_SLOT" -o %i)
    host srun --overlap --jobid="$job" --container-join=0 sh -c 'ls -A /dev/infiniband; echo ${BERTH_IBDEV:-none}'
    ok
    is none
}

# ---- what the node lacks ----

@test "a node without NICs, without $IB, and with a map of a user's: one line each" {
    BERTH_ARGS='preflight=off' plugstack_write
    host srun --usnic echo ran
    fails
    says "this node has no NIC with virtual functions or RDMA"
    rm -f "$BERTH_W/state/map"
    own alice hold >/dev/null
    install -o berthalice -m 644 "$BERTH_W/usnic.map" "$BERTH_W/work/user.map"
    ours map="$BERTH_W/work/user.map"
    host srun --usnic echo ran
    fails
    says "map=$BERTH_W/work/user.map: expected a regular file that belongs to root"
    head -c 300 "$BERTH_W/usnic.map" >"$BERTH_W/work/cut.map"
    ours map="$BERTH_W/work/cut.map"
    host srun --usnic echo ran
    fails
    [[ $(grep -c 'berth: ' <<<"$stderr") == 1 ]]
    plugstack_write
    mv "$IB" "$IB.away"
    host srun --usnic echo ran
    mv "$IB.away" "$IB"
    fails
    says "this node has no /dev/infiniband"
}

# ---- variables ----

# (Slurm sets OMPI_MCA_plm_slurm_args since 23.02.)
VARIABLES='env | grep -E "^(BERTH_|OMPI_|UCX_|FI_|NCCL_)" | grep -v -e ^BERTH_USNIC= -e ^OMPI_MCA_plm_slurm_args= | sort'

@test "Berth's own variables and those of libraries say what was given" {
    host srun --usnic sh -c "$VARIABLES"
    is "$(printf '%s\n' BERTH_DEVICES=/dev/infiniband/uverbs0 BERTH_IBDEV=usnic_0 BERTH_NETDEV=enp6s0f0 BERTH_NUMA=0 \
        BERTH_UVERBS=uverbs0 OMPI_MCA_btl_usnic_if_include=usnic_0)"
    inside base.sqsh --usnic=2 -- sh -c "$VARIABLES"
    is "$(printf '%s\n' BERTH_DEVICES=/dev/infiniband/uverbs0,/dev/infiniband/uverbs1 BERTH_IBDEV=usnic_0,usnic_1 \
        BERTH_NETDEV=enp6s0f0,enp7s0f0 BERTH_NUMA=0,0 BERTH_UVERBS=uverbs0,uverbs1 \
        OMPI_MCA_btl_usnic_if_include=usnic_0,usnic_1)"
    host srun sh -c "$VARIABLES"
    is ''
}

@test "a variable that the user set stays, with a note under explain" {
    for value in mine ''; do
        ENV=(OMPI_MCA_btl_usnic_if_include="$value")
        host srun --usnic sh -c 'echo "<$OMPI_MCA_btl_usnic_if_include>"'
        is "<$value>"
        silent
    done
    ENV=(OMPI_MCA_btl_usnic_if_include=mine)
    host srun --usnic=explain printenv OMPI_MCA_btl_usnic_if_include
    is mine
    run grep OMPI <<<"$stderr"
    has "OMPI_MCA_btl_usnic_if_include is set and stays as it is; Berth's would be usnic_0"
    ENV=(BERTH_IBDEV=mine)
    host srun --usnic printenv BERTH_IBDEV
    is usnic_0
}

@test "usnic_env=: the site's variables beside Berth's, instead of one, and one taken out" {
    ours 'usnic_env=MY_NICS=%i/%u/%n;UCX_NET_DEVICES=%f:2;OMPI_MCA_btl_usnic_if_include='
    host srun --usnic=2 sh -c 'echo $MY_NICS $UCX_NET_DEVICES ${OMPI_MCA_btl_usnic_if_include:-none}'
    is 'usnic_0,usnic_1/uverbs0,uverbs1/enp6s0f0 usnic_0:2 none'
    ours 'usnic_env=MY_NICS=%x'
    host srun --usnic true
    fails
    says 'usnic_env: MY_NICS=%x: expected NAME=TEMPLATE'
}

# ---- ranks of one step ----

@test "ranks with NICs of their own share memory as bare: POSIX and process_vm_readv" {
    local bare
    drop_in "$(tool ranks)" "$(own alice tools)"
    ranks() { host srun -n2 -w "$(node 1)" "$@" "/berth-test.$BERTH_SLOT.$BATS_TEST_NUMBER"; }
    ranks "$BERTH_W/work/tools/ranks"
    ok
    bare=$output
    ranks --usnic "$BERTH_W/work/tools/ranks"
    ok
    is "$bare"
    ranks --usnic --container="$(image tiny.sqsh)" --container-mounts="$BERTH_W/work/tools:/opt" /opt/ranks
    ok
    is "$bare"
    has "shm: written by rank 0"
}

@test "Open MPI by PMIx: four ranks of two nodes, with an image" {
    as alice srun --mpi=list 2>&1 | grep -qw pmix || skip "this Slurm has no mpi/pmix"
    inside mpi.sqsh -N2 --ntasks-per-node=2 --usnic --mpi=pmix -- /opt/mpi/openmpi/ring
    ok
    has "ring of 4: token 4"
}

@test "a step on the host keeps all else: directory, rights, mounts, descriptors" {
    local seen='pwd; id; umask; grep -E "^(Cap|NoNewPrivs|Seccomp|Sig)" /proc/self/status; ls -l /proc/self/fd | wc -l
        sed -E "s/^[0-9]+ [0-9]+ [^ ]+ //; s/ (shared|master|propagate_from):[0-9]+//g" /proc/self/mountinfo | grep -vE "infiniband|/dev/vfio" | sort'
    AS_CWD=/tmp host srun sh -c "$seen"
    bare=$output
    AS_CWD=/tmp host srun --usnic sh -c "$seen"
    ok
    is "$bare"
}
