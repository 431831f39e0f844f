# Where PostgreSQL's programs are, and as whom they run (it refuses to run as root).
# shellcheck shell=bash disable=SC2034,SC2154 # read by, or set by, the script that includes this

postgres_major=15
for folder in "/usr/lib/postgresql/$postgres_major/bin" "/usr/pgsql-$postgres_major/bin"; do
  [ ! -x "$folder/initdb" ] || PATH=$folder:$PATH
done

# The words to put before a command so that it runs as the owner of the data.
as_owner=()
owner=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
  owner=nobody
  as_owner=(setpriv "--reuid=$(id -u "$owner")" "--regid=$(id -g "$owner")" --clear-groups env "HOME=/tmp")
fi
