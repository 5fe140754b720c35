# shellcheck shell=bash source-path=SCRIPTDIR
# Loads every file of tests/lib: `. tests/lib/all.sh`.

BERTH_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034  # for those who load us
BERTH_TOP=$(cd "$BERTH_LIB/../.." && pwd)
. "$BERTH_LIB/common.sh"
. "$BERTH_LIB/deps.sh"
. "$BERTH_LIB/users.sh"
. "$BERTH_LIB/slurm-conf.sh"
. "$BERTH_LIB/cluster.sh"
. "$BERTH_LIB/images.sh"
. "$BERTH_LIB/build.sh"
. "$BERTH_LIB/census.sh"
. "$BERTH_LIB/session.sh"
