# shellcheck shell=bash
# Two ordinary users, a group, and a way to run a command as one of them.
#
# berthalice  is also a member of berthgrp
# berthbob    is not
#
# Several clusters on one machine share the users: whoever made them left a mark in $BERTH_MADE, and the
# last cluster to go removes what the mark lists.

BERTH_RUN=${BERTH_RUN:-/run/berth-test}
BERTH_MADE=${BERTH_MADE:-$BERTH_RUN/made}
BERTH_USERS=(berthalice berthbob)

# users_up: makes what is missing.
users_up() {
    local u
    install -d -m 755 "$BERTH_RUN"
    if ! getent group berthgrp >/dev/null; then
        groupadd berthgrp
        echo "group berthgrp" >>"$BERTH_MADE"
    fi
    for u in "${BERTH_USERS[@]}"; do
        getent passwd "$u" >/dev/null && continue
        useradd --create-home --home-dir "/home/$u" --shell /bin/bash "$u"
        echo "user $u" >>"$BERTH_MADE"
    done
    id -nG berthalice | grep -qw berthgrp || gpasswd -a berthalice berthgrp >/dev/null
}

# users_down: removes what users_up made, with the homes.
users_down() {
    local kind name
    [[ -f $BERTH_MADE ]] || return 0
    while read -r kind name; do
        [[ $kind == user ]] || continue
        userdel --remove "$name" 2>/dev/null || warn "could not remove user $name"
    done <"$BERTH_MADE"
    while read -r kind name; do
        [[ $kind == group ]] || continue
        groupdel "$name" 2>/dev/null || warn "could not remove group $name"
    done <"$BERTH_MADE"
    rm -f "$BERTH_MADE"
}

# as alice|bob|root|NAME [VAR=VALUE ...] CMD...: runs CMD as that user, with all groups, a clean environment
# and SLURM_CONF, in the user's home (or in $AS_CWD), for at most $AS_TIMEOUT (60) seconds.
as() {
    local user=$1 home
    shift
    case $user in alice | bob) user=berth$user ;; esac
    home=$(getent passwd "$user" | cut -d: -f6)
    (
        cd "${AS_CWD:-$home}" || exit 1
        exec timeout --foreground -k 10 "${AS_TIMEOUT:-60}" setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
            env -i HOME="$home" USER="$user" LOGNAME="$user" SHELL=/bin/bash TERM="${TERM:-dumb}" \
            LANG=C.UTF-8 PATH="$(slurm_path)" SLURM_CONF="$SLURM_CONF" "$@"
    )
}
