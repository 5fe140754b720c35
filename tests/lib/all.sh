# shellcheck shell=bash
# Loads every file of tests/lib: `. tests/lib/all.sh`.

BERTH_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034  # for those who load us
BERTH_TOP=$(cd "$BERTH_LIB/../.." && pwd)
for _f in common deps users slurm-conf cluster build; do
    # shellcheck source=/dev/null
    . "$BERTH_LIB/$_f.sh"
done
unset _f
