#!/usr/bin/env bats
# shellcheck disable=SC2016 # for the job's shell
# --usnic and Slurm's GRES: gres.conf as berth-hwmap prints it, gres=yes, and etc/cli_filter.lua. The devices are
# scratch nodes that no driver serves, in a directory that steps with --usnic see, too: where Slurm allows one, opening
# it fails for another reason than permission.

load common

NEEDS_PLUGIN=yes
HWMAP=${HWMAP:-$BERTH_PREFIX/bin/berth-hwmap}
MKTREE=${MKTREE:-$BERTH_W/build/tests/hwmap/mktree}
NODES=/dev/shm/berth-gres
CONF=$BERTH_W/conf

tools() {
    [[ -x $MKTREE ]] || make -C "$BERTH_W/build" tests/hwmap/mktree >/dev/null 2>&1
    [[ -x $MKTREE ]] && "$HWMAP" --version >/dev/null 2>&1
}

eval "plain_$(declare -f setup_file)"
setup_file() {
    plain_setup_file
    # the directory of the leases stays
    [[ -e $BATS_FILE_TMPDIR/skip ]] || as alice srun -Q -w "$(node 1)" --usnic --gres=nic:1 true
}

needs() {
    [[ ! -e $BATS_FILE_TMPDIR/skip ]] || skip "$(<"$BATS_FILE_TMPDIR/skip")"
}
needs_filter() {
    needs
    slurm_has cli_filter_lua || skip "this Slurm has no cli_filter/lua"
}

nodes_make() {
    local i
    # the place of each task's own nodes
    [[ -d /dev/infiniband ]] || { mkdir /dev/infiniband && touch "$BATS_FILE_TMPDIR/made"; } || return
    rm -rf "$NODES" && mkdir "$NODES" || return
    for i in 0 1 2 3 4 5 6 7; do mknod -m 666 "$NODES/uverbs$i" c 231 $((192 + i)) || return; done
}

# machine NAME GRES SOCKETS: its map and its lines, on nodes of such sockets, and a second GRES that has nothing to do
# with it. Slurm 22.05 follows File= only where it has a plugin of the GRES's name, such as nic.
machine() {
    local dir=$BATS_FILE_TMPDIR/$1
    "$MKTREE" "$1" "$dir" && "$HWMAP" map --sysfs "$dir" >"$CONF/map" || return
    { "$HWMAP" gres --name="$2" --sysfs "$dir" | sed "s,/dev/infiniband,$NODES," && echo Name=other Count=4; } | file_put "$CONF/gres.conf"
    export CLUSTER_EXTRA=GresTypes=$2,other CLUSTER_NODE_EXTRA
    # Slurm drains a node whose Cores= are not those of a socket
    CLUSTER_NODE_EXTRA="Gres=$(sed -n 's/^#  *Gres=//p' "$CONF/gres.conf"),other:4 $3"
    if slurm_has cli_filter_lua; then
        { echo "berth_gres_name = \"$2\"" && cat "$BERTH_PREFIX/etc/slurm/cli_filter.lua.berth"; } >"$CONF/cli_filter.lua"
        CLUSTER_EXTRA+=$'\nCliFilterPlugins=cli_filter/lua'
    fi
}

cluster_knobs() {
    if ! tools; then
        echo "berth-hwmap or mktree is not built" >"$BATS_FILE_TMPDIR/skip"
    elif [[ -n $(ls -A /sys/class/infiniband 2>/dev/null) ]]; then
        echo "this host has RDMA devices" >"$BATS_FILE_TMPDIR/skip"
    else
        nodes_make && machine eight-rail nic "Sockets=2 CoresPerSocket=32" || return
        export BERTH_ARGS="map=$CONF/map gres=yes preflight=off confine=no"
    fi
}

teardown_file() {
    [[ -e $BATS_FILE_TMPDIR/skip ]] || rm -rf "$NODES"
    [[ ! -e $BATS_FILE_TMPDIR/made ]] || rmdir /dev/infiniband
    rm -f "$CONF/gres.conf" "$CONF/map" "$CONF/cli_filter.lua"
    unset BERTH_ARGS "${!CLUSTER_@}"
    cluster_restart
}

# Prints the devices that the device cgroup allows, one a line.
PERMITTED='for f in '$NODES'/*; do (exec 3<>"$f") 2>&1 | grep -q "not permitted" || echo "${f##*/}"; done'

# gres_of JOB: the GRES that the job asks for, without the word gres.
gres_of() { scontrol show job "$1" | sed -n 's/^ *TresPerNode=//p' | sed 's,gres[:/],,g'; }

# submitted OPTION...: what a batch job with these asks for; it does not run.
submitted() {
    local id
    id=$(as alice sbatch --parsable --hold --chdir=/ --output=/dev/null "$@" --wrap=true) || return
    gres_of "$id"
    scancel "$id"
}

# hold GRES: a job that has so many, until scancel; its number.
hold() {
    local id
    id=$(as alice sbatch --parsable -w "$(node 1)" --gres="nic:$1" --chdir=/ --output=/dev/null --wrap='sleep 60')
    wait_until 10 runs "$id" && echo "$id"
}
runs() { [[ $(squeue -h -j "$1" -o %t) == R ]]; }
gone() { [[ -z $(squeue -h -j "$1" 2>/dev/null) ]]; }
end() {
    scancel "$1"
    wait_until 10 gone "$1"
}

# job OPTION... -- SCRIPT: a script in an allocation of one task on node 1.
job() {
    local opts=()
    while [[ $1 != -- ]]; do opts+=("$1"); shift; done
    as alice PERMITTED="$PERMITTED" salloc -Q -w "$(node 1)" "${opts[@]}" bash -c "$2"
}

# A step that prints what Slurm allows it, and steps that print what they were given.
ALLOWED='srun -Q -n1 --usnic=none bash -c "$PERMITTED"'
given() { echo "srun -Q $* bash -c 'echo given \$BERTH_UVERBS'"; }

@test "gres=yes: a step gets the device that Slurm's GRES grants, whichever that is" {
    needs
    local n id
    for n in 1 5; do
        id=$(hold "$n")
        run job --gres=nic:1 -- "$ALLOWED; $(given -n1 --usnic)"
        end "$id"
        ok
        [[ ${lines[0]} == uverbs[0-7] && ${lines[1]} == "given ${lines[0]}" && ${#lines[@]} == 2 ]] ||
            { echo "$output"; false; }
    done
}

@test "gres=yes: each task gets one of those that the GRES grants" {
    needs
    local id
    id=$(hold 2)
    run job -n3 --gres=nic:3 -- "$ALLOWED; $(given -n3 -l --usnic)"
    end "$id"
    ok
    diff <(grep ^uverbs <<<"$output") <(sed -n 's/^[0-2]: given //p' <<<"$output" | sort)
}

@test "gres=yes: explain tells what the GRES does not grant" {
    needs
    run job --gres=nic:1 -- "$(given -n1 --usnic=explain)"
    ok
    [[ $(grep -c "Slurm's GRES does not grant it" <<<"$output") == 7 ]] || { echo "$output"; false; }
}

@test "gres=yes: no GRES, no device; too few, no step" {
    needs
    run job --gres=none -- "$(given -n1 --usnic --gres=none)"
    fails
    has "Slurm's GRES grants this step no NIC of the node, expected --gres for as many beside it"
    run job --gres=nic:1 -- "$(given -n1 --usnic=2 --gres=nic:1)"
    fails
    has "devices that Slurm's GRES does not grant count as leased"
}

@test "gres=yes: steps of one job have devices of their own" {
    needs
    run job -n2 --gres=nic:2 -- "for i in 1 2; do
        srun --exact -n1 -c1 --mem=0 --gres=nic:1 --usnic bash -c 'echo given \$BERTH_UVERBS; sleep 1.5' & done; wait"
    ok
    [[ $(grep -c '^given uverbs' <<<"$output") == 2 && -z $(sort <<<"$output" | uniq -d) ]] || { echo "$output"; false; }
}

@test "more than a node has is refused; what others have is waited for" {
    needs_filter
    run as alice srun -w "$(node 1)" --usnic=9 true
    fails
    has 'Requested node configuration is not available'
    local all one
    all=$(hold 8)
    one=$(as alice sbatch --parsable -w "$(node 1)" --usnic --chdir=/ --output=/dev/null --wrap='srun true')
    sleep 1
    [[ $(squeue -h -j "$one" -o '%t') == PD ]]
    end "$all"
    wait_until 20 gone "$one"
    [[ $(scontrol show job "$one" | sed -n 's/ *JobState=\([A-Z]*\).*/\1/p') == COMPLETED ]]
}

@test "cli_filter.lua: --usnic becomes a GRES" {
    needs_filter
    [[ $(submitted --usnic) == nic:1 ]]
    [[ $(submitted --usnic=2) == nic:2 ]]
    [[ $(submitted --usnic=policy=local,count=3,explain) == nic:3 ]]
    [[ $(submitted --usnic=2 -n3 -N1) == nic:6 ]]
    [[ $(submitted --usnic -n5 -N2) == nic:3 ]]
    [[ $(submitted --usnic=2 -N2 --ntasks-per-node=2) == nic:4 ]]
    [[ $(submitted --usnic=2,per=node -n3 -N1) == nic:2 ]]
    [[ $(submitted --usnic -n4) == nic:4 ]]
    # the script's own
    [[ $(submitted --usnic=2,batch -n3 -N1) == nic:8 ]]
}

@test "cli_filter.lua: what the user says of GRES stays" {
    needs_filter
    [[ $(submitted --usnic=2 --gres=other:1) == other:1,nic:2 ]]
    [[ $(submitted --usnic=2 --gres=nic:5) == nic:5 ]]
    [[ $(submitted --usnic=2 --gres=other:1,nic) == other:1,nic ]]
    [[ -z $(submitted --usnic=2 --gres=none) ]]
    [[ -z $(submitted --usnic=none) ]]
    [[ -z $(submitted) ]]
}

@test "cli_filter.lua: scripts, salloc, srun, the input variable, and steps" {
    needs_filter
    local id
    id=$(printf '#!/bin/sh\n#SBATCH --usnic=3\nsrun true\n' | as alice sbatch --parsable --hold --chdir=/ --output=/dev/null)
    [[ $(gres_of "$id") == nic:3 ]]
    scancel "$id"
    run job -n2 -N1 --usnic=2 -- 'scontrol show job $SLURM_JOB_ID'
    ok
    [[ $output =~ TresPerNode=gres[:/]nic:4 ]]
    run as alice srun -n2 -N1 --usnic bash -c 'scontrol show job $SLURM_JOB_ID'
    ok
    [[ $output =~ TresPerNode=gres[:/]nic:2 ]]
    run as alice BERTH_USNIC=2 srun bash -c 'scontrol show job $SLURM_JOB_ID'
    ok
    [[ $output =~ TresPerNode=gres[:/]nic:2 ]]
    # steps share the job's, and one that says --usnic takes as many as it says
    run job -n4 -N1 --usnic -- "srun -n4 --usnic=none bash -c 'true'; srun -n2 --usnic bash -c '[[ \$SLURM_LOCALID != 0 ]] || $PERMITTED'"
    ok
    [[ $(grep -c ^uverbs <<<"$output") == 2 ]] || { echo "$output"; false; }
}

@test "cli_filter.lua: a site's own calls it" {
    needs_filter
    mv "$CONF/cli_filter.lua" "$CONF/cli_filter.lua.berth"
    cat >"$CONF/cli_filter.lua" <<END
dofile("$CONF/cli_filter.lua.berth")
function slurm_cli_pre_submit(options, offset)
	berth_usnic_gres(options)
	options.comment = "ours"
	return slurm.SUCCESS
end
END
    run submitted --usnic=2
    local id
    id=$(as alice sbatch --parsable --hold --usnic=2 --chdir=/ --output=/dev/null --wrap=true)
    run scontrol show job "$id"
    scancel "$id"
    mv "$CONF/cli_filter.lua.berth" "$CONF/cli_filter.lua"
    has Comment=ours
    [[ $output =~ gres[:/]nic:2 ]]
}

@test "a GRES that is only counted: --usnic and --gres agree, the lease decides who has which" {
    needs
    census_off # slurmd starts again
    machine c240 usnic "Sockets=4 CoresPerSocket=16"
    BERTH_ARGS="map=$CONF/map preflight=off" cluster_restart
    run as alice srun -w "$(node 1)" -n2 --usnic=2 --gres=usnic:4 bash -c 'echo $BERTH_UVERBS'
    ok
    [[ $(tr ',' '\n' <<<"$output" | sort -u) =~ ^uverbs[0-3] && $(wc -l <<<"$output") == 2 ]]
    run as alice srun -w "$(node 1)" --usnic=64 --gres=usnic:256 true
    ok
    run as alice srun -w "$(node 1)" --gres=usnic:257 true
    fails
}
