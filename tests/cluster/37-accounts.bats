#!/usr/bin/env bats
# shellcheck disable=SC2016 # what stands in '' is expanded in the step
# Users whom a node knows by its name service (NSS) and not by /etc/passwd. The first node's slurmd has files of its own
# for that, in a mount namespace of its own; Debian's libnss-extrausers is the service.

load common
load rows
load faults
# shellcheck disable=SC2034 # read in common
NEEDS_PLUGIN=yes

# without_alice FILE: it, without her and her groups. with_alice FILE: those lines alone.
without_alice() { sed '/^berthalice:/d; s/berthalice,\?//g' "$1"; }
with_alice() { grep -E '^berthalice:|[:,]berthalice(,|$)' "$1"; }

# elsewhere SERVICE [SHELL]: the first node knows her by that service only.
elsewhere() {
    local d=$BERTH_W/work/nss f
    rm -rf "$d"
    install -d -m 755 "$BERTH_W/work" "$d" "$d/extrausers"
    for f in passwd group; do
        without_alice "/etc/$f" >"$d/$f"
        with_alice "/etc/$f" >"$d/extrausers/$f"
    done
    printf '%s\n' "berthteam:x:4242:berthalice" >>"$d/extrausers/group"
    sed -E "s/^(passwd|group):.*/\1: files $1/" /etc/nsswitch.conf >"$d/nsswitch.conf"
    slurmd_in 1 "${2:-:} && mount --bind $d/passwd /etc/passwd && mount --bind $d/group /etc/group && \
        mount --bind $d/nsswitch.conf /etc/nsswitch.conf && mount --bind $d/extrausers /var/lib/extrausers"
}

@test "a user whom only the name service knows has a name, a home and groups inside" {
    [[ -d /var/lib/extrausers ]] || skip "libnss-extrausers is not installed"
    elsewhere extrausers
    # on the node itself, without a container
    try srun -w "$(node 1)" sh -c 'grep -c ^berthalice: /etc/passwd; id -un; getent passwd berthalice | cut -d: -f6'
    [[ $output == $'0\nberthalice\n/home/berthalice' ]] || { because "the node: $output"; return 1; }
    try srun -w "$(node 1)" --container="$(image base.sqsh)" sh -c 'id -un; id -gn; echo ~berthalice'
    worked
    [[ $output == $'berthalice\n'"$(id -gn berthalice)"$'\n/home/berthalice' ]] || { echo "$output"; return 1; }
    # further groups by their numbers
    try srun -w "$(node 1)" --container="$(image base.sqsh)" id -Gn
    worked
    [[ $output == "$(id -Gn berthalice)" ]] || { echo "$output"; return 1; }
}

@test "a name service that does not answer: one line, and the node stays up" {
    local d=$BERTH_W/work/nsslib lib
    lib=/usr/lib/$(gcc -print-multiarch)
    install -d -m 755 "$BERTH_W/work" "$d"
    install -m 644 "$(tool nss_slow.so)" "$d/libnss_berthslow.so.2"
    elsewhere berthslow "mount -t overlay overlay -o lowerdir=$d:$lib $lib"
    bystander
    refused_srun "database does not tell of user $(id -u berthalice)" -w "$(node 1)" --container="$(image tiny.sqsh)"
    bystander_ends
    [[ -z $(sinfo -h -R) ]]
}
