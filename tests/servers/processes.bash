# Shared by the server scripts: talk on stderr, the cache, and finding out whether a recorded process is still ours.
# shellcheck shell=bash disable=SC2034,SC2154 # read by, or set by, the script that includes this

tool=$(basename "$0")
cache=${ARGOSY_SERVERS_CACHE:-$HOME/.cache/argosy-servers}
kafka_version=4.3.1

say() { echo "$tool: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# port_is_taken PORT
port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# runs PID WORDS: is PID alive, and does its command line hold WORDS? Numbers of processes are used again.
runs() {
  local words=()
  { mapfile -d '' -t words <"/proc/$1/cmdline"; } 2>/dev/null || return 1
  [[ "${words[*]}" == *"$2"* ]]
}

# await_gone SECONDS PID...: waits until none of them is left
await_gone() {
  local deadline=$((SECONDS + $1)) pid
  shift
  for pid in "$@"; do
    until gone "$pid"; do
      [ "$SECONDS" -lt "$deadline" ] || return 1
      sleep 0.02
    done
  done
}

# gone PID: a zombie counts as gone once its last thread has ended; until then its sockets are open
gone() {
  local status
  status=$(cat "/proc/$1/status" 2>/dev/null) || return 0
  [[ "$status" =~ State:[[:space:]]Z.*Threads:[[:space:]][01][^0-9] ]]
}
