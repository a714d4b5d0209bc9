#!/bin/bash
# Tries searches with workers on a real Slurm that this script starts for itself, on this machine alone.
#
#     Scripts/cluster-test.sh [EVODB]        (default: .build/release/evodb)
#
# It needs root and Debian's packages slurm-wlm and munge; CLUSTER_TEST_INSTALL=yes lets it install them. All else lies in a
# temporary folder, which goes at the end. Exit code 77: it cannot run here. It takes ten minutes on two processors;
# CLUSTER_TEST_PARTS names some of its parts: workers kills limit node folders.
set -u
evodb=$(readlink -f "${1:-.build/release/evodb}")
[ -x "$evodb" ] || { echo "$0: no program at $evodb; build it first" >&2; exit 66; }
source=$(cd "$(dirname "$0")/.." && pwd -P)
[ "$(id -u)" = 0 ] || { echo "$0: root is needed" >&2; exit 77; }
PATH=$PATH:/usr/sbin
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
  [ "${CLUSTER_TEST_INSTALL:-}" = yes ] || { echo "$0: apt-get install slurm-wlm munge, or CLUSTER_TEST_INSTALL=yes" >&2; exit 77; }
  apt-get install -y slurm-wlm munge >/dev/null || exit 77
fi
for v in $(compgen -e); do case $v in SLURM*|SBATCH*) unset "$v" ;; esac; done

# Processes whose command line or environment names a text, but not this shell.
ours() {
  grep -alF -- "$1" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | sort -u | while read -r id; do
    [ "$id" = $$ ] && continue
    case $(readlink "/proc/$id/exe" 2>/dev/null) in */evodb*|*/slurm*|*/srun*|*/bash) echo "$id" ;; esac
  done
}

work=$(mktemp -d /tmp/evodb-cluster.XXXXXX)
slurm=$work/slurm
nodes=2
pids=()
finish() {
  exec 2>/dev/null
  timeout 10 scancel --user root
  sleep 1
  # Whatever still runs out of the temporary folder was started here.
  for p in $(ours "$work"); do kill -KILL "$p" 2>/dev/null; done
  umount "$work/full" 2>/dev/null
  for p in "${pids[@]}"; do kill -KILL "$p" 2>/dev/null; done
  [ "${CLUSTER_TEST_KEEP:-}" = yes ] && echo "kept: $work" || rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' INT TERM HUP

# --- Slurm: munged, slurmctld and two slurmd, without systemd -------------------------------------------------------------
mkdir -p "$slurm"/{log,state,spool,munge}
chmod 755 "$work" "$slurm" "$slurm/munge"
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
base=$((12000 + RANDOM % 15000))
while ! { free $base && free $((base + 1)) && free $((base + 2)); }; do base=$((base + 7)); done
memory=$(awk '/^MemTotal:/ {print int($2/1024)}' /proc/meminfo)
cat >"$slurm/slurm.conf" <<CONF
ClusterName=evodb
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$base
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/munge/socket
CredType=cred/munge
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool/%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd-%n.pid
SlurmctldLogFile=$slurm/log/slurmctld.log
SlurmdLogFile=$slurm/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SlurmdTimeout=10
KillWait=5
MinJobAge=86400
ReturnToService=2
JobRequeue=1
NodeName=n[0-1] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[$((base + 1))-$((base + 2))] CPUs=4 RealMemory=$memory State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$slurm/slurm.conf
(umask 077; head -c 1024 /dev/urandom >"$slurm/munge/key"); chmod 400 "$slurm/munge/key"
munged --foreground --force --key-file="$slurm/munge/key" --socket="$slurm/munge/socket" --pid-file="$slurm/munge/pid" \
  --log-file="$slurm/log/munged.log" --seed-file="$slurm/munge/seed" >"$slurm/log/munged.out" 2>&1 &
pids+=($!)
for i in $(seq 100); do munge -S "$slurm/munge/socket" -n >/dev/null 2>&1 && break; sleep 0.05; done
slurmctld -D -f "$SLURM_CONF" >"$slurm/log/slurmctld.out" 2>&1 & pids+=($!)
for i in $(seq 200); do timeout 5 scontrol ping >/dev/null 2>&1 && break; sleep 0.05; done
slurmd_of=()
start_node() { mkdir -p "$slurm/spool/n$1"; slurmd -D -N "n$1" -f "$SLURM_CONF" >>"$slurm/log/slurmd-n$1.out" 2>&1 & slurmd_of[$1]=$!; pids+=($!); }
start_node 0; start_node 1
for i in $(seq 300); do [ "$(sinfo -h -N -o %t | grep -c idle)" = $nodes ] && break; sleep 0.1; done
[ "$(sinfo -h -N -o %t | grep -c idle)" = $nodes ] || { echo "$0: Slurm does not come up" >&2; tail "$slurm"/log/* >&2; exit 77; }
echo "Slurm $(slurmctld -V | cut -d' ' -f2) is up: $nodes nodes"
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) processors, load $(cut -d' ' -f1-3 /proc/loadavg)"

# --- Helpers ----------------------------------------------------------------------------------------------------------------
parts=${CLUSTER_TEST_PARTS:-workers kills limit node folders}
part() { case " $parts " in *" $1 "*) true ;; *) false ;; esac; }
failures=0
kills_of_workers=${CLUSTER_TEST_WORKER_KILLS:-50}
kills_of_coordinators=${CLUSTER_TEST_COORDINATOR_KILLS:-10}
check() { if [ "$2" = "$3" ]; then echo "  ok: $1"; else echo "  FAILED: $1: ‘$2’, expected ‘$3’"; failures=$((failures + 1)); fi; }
search=(--target-bits 3 --sweep-tokens 128 --generations 5 --offspring 8 --survivors 2,1 --tokens 128,384 --data calibration --validation validation --seed 5)
[ -n "${CLUSTER_TEST_SEARCH:-}" ] && read -r -a search <<<"$CLUSTER_TEST_SEARCH"
number() { "$evodb" query "$1" "$2" --format csv | tail -1 | tr -d '\r'; }
tokens() { number "$1" "SELECT sum(forward_token_count) AS n FROM job WHERE command IN ('search', 'worker')"; }
answers() { number "$1" "SELECT coalesce(sum(evaluation_count), 0) AS n FROM job WHERE command = 'worker'"; }
fresh() { mkdir -p "$work/$1"; cp "$work/built.evodb" "$work/$1/demo.evodb"; echo "$work/$1/demo.evodb"; }
# What a command says is printed as it was typed, without this machine's paths.
say() { echo "  \$ $*" | sed "s#$evodb#evodb#g; s#$work/[a-z0-9-]*/##g; s#$work/##g"; }
# Submits the script of a catalog's folder.
submit() { (cd "$1" && shift && sbatch --parsable "$@" job.sh); }
state() { squeue -h -j "$1" -o %t 2>/dev/null; }
nodes_of() { scontrol show job "$1" | sed -n 's/^ *NodeList=//p' | head -1; }
# Whether a job is over; one that is queued again looks so for a moment.
over() {
  local i
  for i in 1 2 3; do
    scontrol show job "$1" 2>/dev/null | grep -qE 'JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY) ' || return 1
    [ $i = 3 ] || sleep 0.5
  done
}
# Slurm lets a job that was queued again wait for two minutes. It is let go after two seconds; at once is too early: a node takes
# no job of which it has just been told that it is over ("credential revoked").
release() {
  [ "$(state "$1")" = PD ] || return 0
  sleep 2
  scontrol update JobId="$1" StartTime=now 2>/dev/null
}
# Waits until a job is over.
await() {
  for i in $(seq "${2:-300}"); do
    over "$1" && return 0
    release "$1"
    sleep 1
  done
  echo "  job $1 does not end: $(squeue -h -j "$1" -o '%t %r')"
  return 1
}
# Processes of the program under test with these arguments.
running() { pgrep -f "$(basename "$evodb") $1" | while read -r p; do [ "$(basename "$(readlink "/proc/$p/exe" 2>/dev/null)")" = "$(basename "$evodb")" ] && echo "$p"; done; }
restarts() { scontrol show job "$1" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p' | head -1; }

# CLUSTER_TEST_CATALOG names a catalog with variants, calibration and validation data in the place of the example.
if [ -n "${CLUSTER_TEST_CATALOG:-}" ]; then
  cp "$CLUSTER_TEST_CATALOG" "$work/built.evodb"
else
  model=$source/Examples/prose-10m
  echo "The example model is imported, and variants are built"
  "$evodb" init "$work/built.evodb" >/dev/null 2>&1
  "$evodb" import "$work/built.evodb" "$model" --quiet >/dev/null || exit 1
  for set in calibration validation; do
    "$evodb" data "$work/built.evodb" $set "$model/$set.txt" --sequence-length 128 --tokens 2048 --quiet >/dev/null || exit 1
  done
  "$evodb" build "$work/built.evodb" --data calibration --bits 2-4 --quiet >/dev/null || exit 1
fi

# --- 0, 1, 3 and 7 workers --------------------------------------------------------------------------------------------------
plain=$(fresh plain)
say evodb search demo.evodb "${search[@]}" --threads 1
SECONDS=0
"$evodb" search "$plain" "${search[@]}" --threads 1 --quiet >/dev/null || exit 1
digest=$("$evodb" digest --all "$plain")
count=$(tokens "$plain")
echo "  one process: digest ${digest:0:16}, $count tokens, $SECONDS s"
verb=(search "${search[@]}")
part workers && for n in ${CLUSTER_TEST_WORKERS:-0 1 3 7}; do
  catalog=$(fresh "with-$n")
  SECONDS=0
  if [ "$n" = 0 ]; then
    say evodb search demo.evodb … --spool demo.evodb.spool
    "$evodb" search "$catalog" "${search[@]}" --threads 1 --quiet --spool "$catalog.spool" >/dev/null
  else
    say evodb cluster demo.evodb --workers "$n" --threads-per-worker 1 --time 1h --output job.sh -- search …
    "$evodb" cluster "$catalog" --evodb "$evodb" --workers "$n" --threads-per-worker 1 --time 1h --output "$work/with-$n/job.sh" -- "${verb[@]}" 2>/dev/null
    job=$(submit "$work/with-$n" --nodes 2)
    say sbatch --nodes 2 job.sh
    await "$job" 300
    echo "  job $job on $(nodes_of "$job"), $SECONDS s, $(answers "$catalog") evaluations by workers"
  fi
  check "$n workers: digest" "$("$evodb" digest --all "$catalog")" "$digest"
  check "$n workers: tokens" "$(tokens "$catalog")" "$count"
done

# --- Kills ------------------------------------------------------------------------------------------------------------------
if part kills; then
  echo "Kills of workers and of the coordinator, one worker stopped for a minute, one with other kernels"
  mkdir -p "$work/killed"
  spool=$work/killed/spool
  worker_loop() {
    until [ -e "$work/over" ]; do
      EVODB_KERNELS=${1:-} srun --quiet --ntasks=1 --kill-on-bad-exit=0 "$evodb" worker "$spool" --threads 1 --until-idle 30s --quiet 2>/dev/null || sleep 0.2
    done
  }
  (unset EVODB_KERNELS; for i in 1 2 3; do worker_loop & done; worker_loop portable & wait) & loops=$!
  pids+=($loops)
  worker_kills=0 coordinator_kills=0 stopped= round=0
  # As many searches as it takes.
  while [ $round -lt 8 ] && { [ $worker_kills -lt "$kills_of_workers" ] || [ $coordinator_kills -lt "$kills_of_coordinators" ]; }; do
    round=$((round + 1))
    catalog=$(fresh "killed-$round")
    "$evodb" cluster "$catalog" --evodb "$evodb" --scheduler slurm --array --threads-per-worker 1 --time 1h --spool "$spool" --output "$work/killed-$round/job.sh" -- "${verb[@]}" 2>/dev/null
    SECONDS=0
    before=$coordinator_kills
    job=$(submit "$work/killed-$round")
    until over "$job" || [ $SECONDS -ge 300 ]; do
      sleep 0.$((RANDOM % 2 + 1))
      mapfile -t alive < <(running "worker $spool")
      if [ -z "$stopped" ] && [ ${#alive[@]} -gt 0 ]; then
        stopped=${alive[0]}; kill -STOP "$stopped"
        (sleep 60; kill -CONT "$stopped" 2>/dev/null) &
      elif [ $worker_kills -lt "$kills_of_workers" ] && [ ${#alive[@]} -gt 0 ]; then
        victim=${alive[RANDOM % ${#alive[@]}]}
        [ "$victim" = "$stopped" ] || { kill -KILL "$victim" 2>/dev/null && worker_kills=$((worker_kills + 1)); }
      fi
      mapfile -t coordinator < <(running "search $catalog")
      if [ ${#coordinator[@]} -gt 0 ]; then
        # Kills of the coordinator are spread over those of the workers.
        due=$(((worker_kills * kills_of_coordinators + kills_of_workers - 1) / kills_of_workers))
        if [ $coordinator_kills -lt "$kills_of_coordinators" ] && [ $coordinator_kills -lt $due ]; then
          kill -KILL "${coordinator[0]}" 2>/dev/null && coordinator_kills=$((coordinator_kills + 1))
        fi
      else
        release "$job"
      fi
    done
    echo "  search $round: $worker_kills kills of workers so far, $coordinator_kills of the coordinator, queued again $(restarts "$job") times, $SECONDS s"
    check "kills: digest" "$("$evodb" digest --all "$catalog")" "$digest"
    extra=$(($(tokens "$catalog") - count))
    # A piece of the search is at most one sequence with all candidates of a stage, a sweep's included; a commit comes four times
    # a second, or with each sequence.
    check "kills: at most one piece repeated each ($extra tokens more)" \
      "$([ $extra -ge 0 ] && [ $extra -le $(((coordinator_kills - before + 1) * 200 * 128)) ] && echo yes)" yes
    check "verify" "$("$evodb" verify "$catalog" >/dev/null 2>&1; echo $?)" 0
  done
  touch "$work/over"
  check "all kills" "$worker_kills $coordinator_kills" "$kills_of_workers $kills_of_coordinators"
  kill $loops 2>/dev/null
  for p in $(running "worker $spool"); do kill -CONT "$p" 2>/dev/null; kill -KILL "$p" 2>/dev/null; done
fi

# --- A time limit -------------------------------------------------------------------------------------------------------------
if part limit; then
  echo "A job at its time limit is queued again, and ends the same search"
  catalog=$(fresh limit)
  "$evodb" cluster "$catalog" --evodb "$evodb" --workers 2 --threads-per-worker 1 --time 1h --output "$work/limit/job.sh" -- "${verb[@]}" 2>/dev/null
  SECONDS=0
  # A minute is the shortest limit that Slurm has; its notice comes up to a minute early.
  job=$(submit "$work/limit" --time=1 --signal=B:USR1@50)
  say sbatch --time=1 --signal=B:USR1@50 job.sh
  # So that the search lasts until then on any machine: its processes are stopped for half a minute.
  for i in $(seq 60); do [ -n "$(running "search $catalog")" ] && break; sleep 0.2; done
  sleep 1
  mapfile -t held < <(running "search $catalog"; running "worker $catalog.spool")
  kill -STOP "${held[@]}" 2>/dev/null
  sleep 35
  kill -CONT "${held[@]}" 2>/dev/null
  await "$job" 400
  echo "  queued again $(restarts "$job") times, $SECONDS s; state $(scontrol show job "$job" | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p')"
  check "limit: queued again" "$([ "$(restarts "$job")" -ge 1 ] && echo yes)" yes
  check "limit: digest" "$("$evodb" digest --all "$catalog")" "$digest"
fi

# --- Nodes that are lost ------------------------------------------------------------------------------------------------------
# A node goes with all its processes at once: the daemon and the steps first, so that nothing is reported.
lose_node() {
  local p steps=() tasks=()
  for p in $(grep -alF -- "$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
    grep -qzx "SLURMD_NODENAME=n$1" "/proc/$p/environ" 2>/dev/null || continue
    tasks+=("$p")
    parent=$(ps -o ppid= -p "$p" | tr -d ' ')
    case $(readlink "/proc/$parent/exe" 2>/dev/null) in */slurmstepd*) steps+=("$parent") ;; esac
  done
  disown "${slurmd_of[$1]}" 2>/dev/null
  kill -KILL "${slurmd_of[$1]}" "${steps[@]}" "${tasks[@]}" 2>/dev/null
}
if part node; then
  echo "Nodes are lost: one with workers alone, then the coordinator's"
  catalog=$(fresh node)
  "$evodb" cluster "$catalog" --evodb "$evodb" --workers 3 --threads-per-worker 1 --time 1h --output "$work/node/job.sh" -- "${verb[@]}" 2>/dev/null
  SECONDS=0
  job=$(submit "$work/node" --nodes 2)
  for i in $(seq 60); do [ "$(number "$catalog" "SELECT count(*) AS n FROM observation" 2>/dev/null)" -gt 0 ] 2>/dev/null && break; sleep 0.5; done
  # Slurm misses a node after ten seconds, and looks every ten; then it queues the job again.
  for node in 1 0; do
    # So that the search is not over before Slurm misses the node, its coordinator is stopped.
    for i in $(seq 100); do mapfile -t held < <(running "search $catalog"); [ ${#held[@]} -gt 0 ] && break; sleep 0.1; done
    kill -STOP "${held[@]}" 2>/dev/null
    lose_node $node
    for i in $(seq 60); do [ "$(restarts "$job")" -ge $((2 - node)) ] && break; sleep 1; done
    check "node n$node is lost: queued again" "$([ "$(restarts "$job")" -ge $((2 - node)) ] && echo yes)" yes
    start_node $node
    [ $node = 1 ] || continue
    for i in $(seq 60); do [ "$(state "$job")" = R ] && break; release "$job"; sleep 1; done
  done
  await "$job" 240
  echo "  queued again $(restarts "$job") times, $SECONDS s"
  check "lost nodes: digest" "$("$evodb" digest --all "$catalog")" "$digest"
fi

# --- Folders that are away, full, read-only, or full of garbage --------------------------------------------------------------
# A search with a worker of plain processes; what is said is in $work/NAME/log. Sets search and worker.
begin() {
  catalog=$(fresh "$1")
  spool=${2:-$catalog.spool}
  "$evodb" worker "$spool" --threads 1 --until-idle 60s 2>>"$work/$1/log" & worker=$!
  "$evodb" search "$catalog" "${search[@]}" --threads 1 --quiet --spool "$spool" >/dev/null 2>>"$work/$1/search-log" & coordinator=$!
  pids+=($worker $coordinator)
  for i in $(seq 100); do grep -q . "$spool"/coordinators/* 2>/dev/null && break; sleep 0.1; done
  sleep 2
}
# A worker has to end with one of the given codes.
worker_ends() {
  kill -TERM $worker 2>/dev/null
  wait $worker; code=$?
  case " $2 " in *" $code "*) echo "  ok: $1: worker ends with $code" ;; *) echo "  FAILED: $1: worker ends with $code: $(tail -1 "$work/$1/log")"; failures=$((failures + 1)) ;; esac
}
if part folders; then
  echo "Folders that cannot be used"
  "$evodb" worker "$work/nowhere" --until-idle 1s --quiet 2>/dev/null; check "absent: exit code" $? 75
  mkdir "$work/open"; chmod 777 "$work/open"
  "$evodb" worker "$work/open" --until-idle 1s --quiet 2>/dev/null; check "everybody's: exit code" $? 78

  begin away
  mv "$spool" "$spool-away"; sleep 3; mv "$spool-away" "$spool"
  wait $coordinator; check "away for three seconds: the search" $? 0
  check "away: digest" "$("$evodb" digest --all "$catalog")" "$digest"
  worker_ends away "0 75"

  begin gone
  mv "$spool" "$spool-away"
  wait $coordinator; check "away for good: the search" $? 0
  check "away for good: digest" "$("$evodb" digest --all "$catalog")" "$digest"
  worker_ends gone "0 75"

  mkdir -p "$work/full"
  if mount -t tmpfs -o size=8m,mode=700 none "$work/full" 2>/dev/null; then
    begin filled "$work/full/spool"
    head -c 9M /dev/zero >"$work/full/ballast" 2>/dev/null
    wait $coordinator; check "full: the search" $? 0
    check "full: digest" "$("$evodb" digest --all "$catalog")" "$digest"
    worker_ends filled "0 75"
    grep -h "No space\|full" "$work/filled/search-log" "$work/filled/log" | head -2 | sed "s#$work/##g; s/^/  /"
    rm -rf "$work/full/ballast" "$work/full/spool"
    begin readonly "$work/full/spool"
    mount -o remount,ro "$work/full"
    wait $coordinator; check "read-only: the search" $? 0
    check "read-only: digest" "$("$evodb" digest --all "$catalog")" "$digest"
    worker_ends readonly "0 75 78"
    "$evodb" worker "$work/full/spool" --until-idle 1s --quiet 2>"$work/readonly/refused"; code=$?
    check "read-only from the start: exit code" "$([ $code = 78 ] || [ $code = 75 ] && echo yes)" yes
    sed "s#$work/##g; s/^/  /" "$work/readonly/refused" | head -1
    umount "$work/full"
  else
    echo "  no file system may be mounted here: full and read-only folders are left out"
  fi

  begin hostile
  made=0
  hostile() { # hostile FOLDER NAME COMMAND…: makes one, and counts it
    local file=$spool/$1/$2; shift 2
    "$@" "$file" 2>/dev/null && made=$((made + 1)) && printf '%s\n' "$file" >>"$work/hostile/list"
  }
  noise() { head -c "$1" /dev/urandom >"$2"; }
  page=$spool/coordinators/$(ls "$spool/coordinators" | head -1)
  flipped() { head -c 60 "$page" >"$1"; printf '\377' >>"$1"; tail -c +62 "$page" >>"$1"; }
  copied() { cat "$page" >"$1"; }
  id() { cat /proc/sys/kernel/random/uuid; }
  key() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
  for folder in coordinators workers requests claims answers variants states streams statistics; do
    case $folder in coordinators|workers) name=id ;; answers) name() { echo "$(key).$(id)"; }; name=name ;; claims) name() { echo "$(id).1.0"; }; name=name ;; *) name=key ;; esac
    hostile $folder "$($name)" touch
    hostile $folder "$($name)" noise 100000
    hostile $folder "$($name)" flipped
    hostile $folder "$($name)" copied
    hostile $folder "$($name)" mkdir
    hostile $folder "$($name)" mkfifo
    hostile $folder "$($name)" ln -s nowhere
    hostile $folder "$($name)" truncate -s 1T
    hostile $folder "..." noise 10
    hostile $folder "$(printf 'a name\nof two lines')" noise 10
    hostile $folder "tmp.elsewhere.1.1" noise 10
  done
  wait $coordinator; check "$made hostile files: the search" $? 0
  check "hostile files: digest" "$("$evodb" digest --all "$catalog")" "$digest"
  check "hostile files: at least 25" "$([ $made -ge 25 ] && echo yes)" yes
  worker_ends hostile "0 75"
  left=0; for file in "$spool"/*/*; do [ -e "$file" ] || [ -h "$file" ] && left=$((left + 1)); done
  check "hostile files are left alone" "$([ $left -ge $made ] && echo yes)" yes
fi

if [ $failures = 0 ]; then echo "All is well."; else echo "$failures failures"; exit 1; fi
