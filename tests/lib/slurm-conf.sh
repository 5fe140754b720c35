# shellcheck shell=bash
# Writes the configuration of the private Slurm below $BERTH_W/conf.
#
# Knobs, read at every conf_write (so `KNOB=value cluster_restart` changes one, and a plain
# `cluster_restart` goes back to the defaults):
#   CLUSTER_EXTRA          more slurm.conf lines
#   CLUSTER_NODE_EXTRA     more words of each NodeName line
#   CLUSTER_CGROUP_EXTRA   more cgroup.conf lines
#   CLUSTER_PROLOG_FLAGS   e.g. Contain
#   CLUSTER_TMPFS=yes      private /tmp and /dev/shm per job (job_container/tmpfs, namespace/tmpfs; implies Contain)
#   CLUSTER_TASKPLUGIN     default task/affinity,task/cgroup
#   CLUSTER_CPUS           CPUs that each node claims: a number (default 64; tasks are then bound only where
#                          --cpu-bind asks for it), or `real`: the machine's own, bound by default
#   CLUSTER_CTLD           SlurmctldHost, if it is not this host's loopback
#   BERTH_PLUGIN=no        leave the plugin out
#   BERTH_ARGS             plugstack arguments that replace or add to the defaults
#   BERTH_PLUGSTACK        the whole text of plugstack.conf, instead of all that

# slurm_version: 2205, 2411, 2605 ...
slurm_version() {
    local v
    v=$(slurmd -V)
    v=${v##* }
    v=${v%%-*}
    local major=${v%%.*} minor=${v#*.}
    minor=${minor%%.*}
    echo "$major$minor"
}

# slurm_path: a PATH for users, with the directory of the Slurm in use first.
slurm_path() {
    local std=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin dir
    dir=$(dirname "$(command -v srun || echo /usr/bin/srun)")
    case :$std: in *:$dir:*) echo "$std" ;; *) echo "$dir:$std" ;; esac
}

# cgroup_version: 1 or 2, what this host offers to Slurm.
cgroup_version() { if [[ -d /sys/fs/cgroup/freezer ]]; then echo 1; else echo 2; fi; }

# port_free N: nobody listens on TCP port N.
port_free() { ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q "$(printf ':%04X [0-9A-F]*:0000 0A' "$1")"; }

# ports_pick COUNT: that many free ports below the ephemeral range, on one line.
ports_pick() {
    local -A seen=()
    local p
    while ((${#seen[@]} < $1)); do
        p=$((15000 + RANDOM % 15000))
        port_free "$p" && seen[$p]=1
    done
    echo "${!seen[@]}"
}

# conf_by_version: slurm.conf lines whose names or values depend on the release.
conf_by_version() {
    local v
    v=$(slurm_version)
    if [[ ${CLUSTER_TMPFS:-no} == yes ]]; then
        if ((v >= 2511)); then echo NamespaceType=namespace/tmpfs; else echo JobContainerType=job_container/tmpfs; fi
    fi
}

conf_cgroup() {
    echo "CgroupPlugin=cgroup/v$(cgroup_version)"
    [[ $(cgroup_version) == 2 && ! -d /run/systemd/system ]] && echo IgnoreSystemd=yes
    printf '%s\n' ConstrainCores=yes ConstrainDevices=yes
    [[ -d /sys/fs/cgroup/memory || $(cgroup_version) == 2 ]] && echo ConstrainRAMSpace=yes
    printf '%s\n' "${CLUSTER_CGROUP_EXTRA:-}"
}

conf_slurm() {
    local host ports cpus=${CLUSTER_CPUS:-64} bind='' prolog=${CLUSTER_PROLOG_FLAGS:-}
    host=$(hostname -s)
    # Slurm cannot lay tasks out on CPUs that do not exist, so a made-up number goes without default binding.
    if [[ $cpus == real ]]; then cpus=$(nproc); else bind=TaskPluginParam=none; fi
    read -ra ports <"$BERTH_W/ports"
    if [[ ${CLUSTER_TMPFS:-no} == yes && $prolog != *Contain* ]]; then prolog=${prolog:+$prolog,}Contain; fi
    cat <<END
ClusterName=berth$BERTH_SLOT
SlurmctldHost=${CLUSTER_CTLD:-$host(127.0.0.1)}
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$BERTH_W/munge/socket
StateSaveLocation=$BERTH_W/ctld
SlurmdSpoolDir=$BERTH_W/spool/%n
SlurmctldPidFile=$BERTH_W/run/slurmctld.pid
SlurmdPidFile=$BERTH_W/run/slurmd.%n.pid
SlurmctldLogFile=$BERTH_W/log/slurmctld.log
SlurmdLogFile=$BERTH_W/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=${CLUSTER_SLURMD_DEBUG:-info}
TmpFS=$(node_tmp %n)
PlugStackConfig=$BERTH_W/conf/plugstack.conf
MailProg=/bin/true
ProctrackType=proctrack/cgroup
TaskPlugin=${CLUSTER_TASKPLUGIN:-task/affinity,task/cgroup}
$bind
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
LaunchParameters=use_interactive_step
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=0
KillWait=3
MinJobAge=60
InactiveLimit=60
SlurmdTimeout=60
CompleteWait=0
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
END
    [[ -z $prolog ]] || echo "PrologFlags=$prolog"
    conf_by_version
    conf_nodes "$cpus" "${ports[@]:1}"
    echo "PartitionName=test Nodes=${BERTH_NODES// /,} Default=YES MaxTime=30 State=UP OverSubscribe=YES:16"
    printf '%s\n' "${CLUSTER_EXTRA:-}"
}

# conf_nodes CPUS PORT...: the nodes, all on this host.
conf_nodes() {
    local n i=2 host
    host=$(hostname -s)
    for n in $BERTH_NODES; do
        echo "NodeName=$n NodeHostname=$host NodeAddr=127.0.0.1 Port=${!i} CPUs=$1 RealMemory=4096 ${CLUSTER_NODE_EXTRA:-}"
        i=$((i + 1))
    done
}

# node_tmp NODE: its TmpFS, in /tmp as at most sites. One per node: the PMIx servers of one step on two nodes would
# clash in a directory that they share.
node_tmp() { echo "/tmp/${BERTH_W##*/}.$1"; }

# plugstack_args: the default arguments, each replaced by one of the same key in $BERTH_ARGS. No image stays mounted
# after its step: a census would find it.
plugstack_args() {
    local -A val=([state_dir]=$BERTH_W/state [trusted]=$BERTH_W/images [image_linger]=0)
    local order=(state_dir trusted image_linger) kv
    for kv in ${BERTH_ARGS:-}; do
        [[ -v val[${kv%%=*}] ]] || order+=("${kv%%=*}")
        val[${kv%%=*}]=${kv#*=}
    done
    for kv in "${order[@]}"; do printf ' %s=%s' "$kv" "${val[$kv]}"; done
}

conf_plugstack() {
    if [[ -v BERTH_PLUGSTACK ]]; then
        printf '%s\n' "$BERTH_PLUGSTACK"
    elif [[ ${BERTH_PLUGIN:-yes} == no ]]; then
        echo '# no plugin'
    else
        echo "required $BERTH_PREFIX/lib/slurm/berth.so$(plugstack_args)"
    fi
}

# file_put FILE: standard input becomes FILE in one rename, root's, 0644.
file_put() {
    cat >"$1.new" && chmod 644 "$1.new" && mv "$1.new" "$1"
}

# conf_write: all files, from the knobs above.
conf_write() {
    local c=$BERTH_W/conf n
    conf_slurm | file_put "$c/slurm.conf"
    conf_cgroup | file_put "$c/cgroup.conf"
    conf_plugstack | file_put "$c/plugstack.conf"
    rm -f "$c/job_container.conf"
    [[ ${CLUSTER_TMPFS:-no} == yes ]] || return 0
    # The nodes are one host, and each needs a directory of its own.
    for n in $BERTH_NODES; do
        echo "NodeName=$n AutoBasePath=true BasePath=$BERTH_W/tmpfs/$n"
    done | file_put "$c/job_container.conf"
}
