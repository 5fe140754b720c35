#!/usr/bin/env bats
# The configuration is read whole or not at all, and is root's alone: row 42 of the threat table.
#
# tests/unit/test_config.c cuts the arguments at each byte. Here it is the file, through Slurm, at every
# FAULTS_CUT_EACH'th byte (default 9; 1 takes a minute).

load common
load rows
load faults
NEEDS_PLUGIN=yes

# conf TEXT: that is plugstack.conf. (After the test the usual one comes back.)
conf() { printf '%s\n' "$1" | file_put "$(conf_file)"; }
usual() { conf_plugstack; }
conf_file() { echo "$BERTH_W/conf/plugstack.conf"; }

# Without the plugin --container alone would be Slurm's own and do nothing: --container-image is not.
inside() {
    try srun --container-image="$(image tiny.sqsh)" cat /etc/os-release
    worked
    has IMAGE_ID=tiny
}

# Whatever the configuration is, a job without a container does not suffer.
bare_works() {
    try srun true
    worked
}

@test "row 42: an unknown argument fails jobs, not nodes" {
    bystander
    conf "$(usual) trustd=/a"
    refused 'plugstack.conf: unknown argument "trustd=/a"' --container-image="$(image tiny.sqsh)"
    bare_works
    conf "$(usual) timeout"
    refused_srun "has no value" --container-image="$(image tiny.sqsh)"
    conf "$(usual) timeout=0"
    refused_srun "timeout=0: expected seconds" --container-image="$(image tiny.sqsh)"
    conf "$(usual) kernel_mount_user_images=y"
    refused_srun "expected yes or no" --container-image="$(image tiny.sqsh)"
    bystander_ends
}

@test "row 42: plugstack.conf that others can write" {
    bystander
    local f
    f=$(conf_file)
    chmod 666 "$f"
    refused "$f: is owned by uid 0 with mode 0666" --container-image="$(image tiny.sqsh)"
    bare_works
    chmod 664 "$f"
    refused_srun "with mode 0664" --container-image="$(image tiny.sqsh)"
    chmod 644 "$f"
    chown berthalice "$f"
    refused_srun "is owned by uid $(id -u berthalice)" --container-image="$(image tiny.sqsh)"
    chown root "$f"
    chmod 777 "$BERTH_W/conf"
    refused_srun "$BERTH_W/conf" --container-image="$(image tiny.sqsh)"
    chmod 755 "$BERTH_W/conf"
    inside
    bystander_ends
}

@test "row 42: plugstack.conf.d that others can write" {
    local d=$BERTH_W/conf/plugstack.conf.d
    mkdir "$d"
    usual >"$d/berth.conf"
    conf "include $d/*.conf"
    inside
    chmod 666 "$d/berth.conf"
    refused "berth.conf: is owned by uid 0 with mode 0666" --container-image="$(image tiny.sqsh)"
    chmod 644 "$d/berth.conf"
    chmod 777 "$d"
    refused_srun "plugstack.conf.d" --container-image="$(image tiny.sqsh)"
    rm -r "$d"
}

@test "row 42: a trusted directory that others can write, or that is below one" {
    local d=$BERTH_W/open
    install -d -m 775 "$d"
    install -d "$d/images"
    conf "$(usual) trusted=$d/images"
    refused "trusted=$d/images" --container-image="$(image tiny.sqsh)"
    chmod 755 "$d"
    try srun --container-image="$(image base)" true
    worked
    chmod 777 "$d/images"
    refused_srun "writable by group or others" --container-image="$(image tiny.sqsh)"
    rm -r "$d"
}

@test "row 42: the state directory is not root's alone" {
    local d=$BERTH_W/open
    install -d -m 755 "$d"
    plugstack "state_dir=$d"
    refused "the state directory $d: is owned by uid 0 with mode 0755" --container-image="$(image tiny.sqsh)"
    chmod 700 "$d"
    chown berthalice "$d"
    refused_srun "the state directory $d" --container-image="$(image tiny.sqsh)"
    rmdir "$d"
    : >"$d"
    refused_srun "$d" --container-image="$(image tiny.sqsh)"
    rm "$d"
    ln -s "$BERTH_W/state" "$d"
    refused_srun "$d" --container-image="$(image tiny.sqsh)"
    rm "$d"
}

@test "row 42: plugstack.conf cut at a byte: refused or as written, never less, and no node suffers" {
    local whole n
    bystander
    whole="required $BERTH_PREFIX/lib/slurm/berth.so state_dir=$BERTH_W/state trusted=$BERTH_W/images image_linger=0"
    whole+=" timeout=30 mount_home=yes kernel_mount_user_images=no tmpfs_size=512m writable=no"
    # Below state_dir= a cut would make directories elsewhere; test_config.c does that part.
    local from="required $BERTH_PREFIX/lib/slurm/berth.so state_dir=$BERTH_W/state"
    for ((n = ${#from}; n < ${#whole}; n += ${FAULTS_CUT_EACH:-9})); do
        conf "${whole:0:n}"
        try srun --container-image="$(image tiny.sqsh)" cat /etc/os-release
        if ((status == 0)); then has IMAGE_ID=tiny; else one_line ""; fi || { because "${whole:0:n}"; return 1; }
        nodes_sound
    done
    # Where Slurm does not find the plugin, its options are not there: nothing runs without a container instead.
    for n in 0 4 8 9 20 $((${#BERTH_PREFIX} + 20)); do
        conf "${whole:0:n}"
        try srun --container-image="$(image tiny.sqsh)" touch "$RAN"
        failed || { because "${whole:0:n}"; return 1; }
        nowhere
    done
    plugstack_write
    bystander_ends
}

@test "row 42: CRLF" {
    conf "$(usual)"$'\r'
    refused "do the lines end as on DOS?" --container-image="$(image tiny.sqsh)"
    bare_works
}

@test "row 42: a byte order mark" {
    # Slurm itself drops the line, and says so. What is left is a Slurm without the plugin's options.
    conf $'\xef\xbb\xbf'"$(usual)"
    try srun --container-image="$(image tiny.sqsh)" touch "$RAN"
    failed
    [[ $said == *"Invalid line. Ignoring"* ]]
    nowhere
    batch --container-image="$(image tiny.sqsh)" --wrap "touch $RAN"
    failed
    nowhere
    # Behind the first line it is an argument.
    conf "$(usual) "$'\xef\xbb\xbf'timeout=5
    refused "unknown argument" --container-image="$(image tiny.sqsh)"
}

@test "row 42: a line of 1 MiB" {
    local mega
    bystander
    mega=$(head -c 1048576 /dev/zero | tr '\0' x)
    # Slurm reads 4095 bytes of it: what is behind is lost, so what is there does not count either.
    conf "$(usual) deny=/$mega"
    refused "Slurm cuts long lines" --container-image="$(image tiny.sqsh)"
    conf "$(usual) $mega"
    refused_srun "Slurm cuts long lines" --container-image="$(image tiny.sqsh)"
    conf "#$mega"$'\n'"$(usual)"
    inside
    bystander_ends
}

@test "row 42: more arguments than fit" {
    local i line
    line=$(usual)
    for ((i = 0; i < 150; i++)); do line+=" slurm=no"; done
    conf "$line"
    refused "has 15" --container-image="$(image tiny.sqsh)"
    line=$(usual)
    for ((i = 0; i < 85; i++)); do line+=" deny=/this/is/a/path/of/forty/bytes/or/so"; done
    conf "$line"
    refused_srun "Slurm cuts long lines" --container-image="$(image tiny.sqsh)"
    line=$(usual)
    for ((i = 0; i < 40; i++)); do line+=" deny=/this/is/a/path/of/forty/bytes/or/so"; done
    conf "$line"
    inside
}
