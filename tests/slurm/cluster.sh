#!/usr/bin/env bash
# A real SLURM of one node on this machine's loopback interface, for the tests.
#
#   cluster.sh start    install (Debian: slurm-wlm, munge), configure, start; safe to repeat
#   cluster.sh stop     cancel its jobs and end its daemons
#
# Needs root. There is no accounting database: finished jobs are recorded in the file that
# `cluster.sh jobs` names. SLURM_TEST_CPUS sets the node's CPUs (default: those of the machine).
set -euo pipefail

HOME_DIR=/var/lib/gat-batch-slurm
CONF=/etc/slurm/slurm.conf
MARK="# gat-batch test cluster"
NODE=$(hostname -s)

fail() {
  echo "cluster.sh: $*" >&2
  exit 1
}

# until_true SECONDS WHAT COMMAND...
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "no sign of $what after waiting"
    sleep 0.2
  done
}

running() { # NAME: the daemon whose process id we noted is alive
  local pid
  pid=$(cat "$HOME_DIR/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}

install_packages() {
  command -v slurmctld slurmd sbatch munged >/dev/null && return
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
    slurm-wlm slurm-wlm-basic-plugins munge >/dev/null
}

write_configuration() {
  if [ -e "$CONF" ] && ! grep -q "$MARK" "$CONF"; then
    fail "$CONF belongs to another installation; these tests don't touch it"
  fi
  local memory cpus
  memory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  cpus=${SLURM_TEST_CPUS:-$(nproc)}
  # The daemons speak to each other over the node's name, which must lead to loopback.
  getent hosts "$NODE" >/dev/null || echo "127.0.0.1 $NODE" >>/etc/hosts
  cat >"$CONF" <<CONF
$MARK: written by tests/slurm/cluster.sh
ClusterName=gatbatch
SlurmctldHost=$NODE(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ReturnToService=2
# CPUs and memory are what jobs consume; without cgroups memory is polled once a second.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SchedulerParameters=batch_sched_delay=0,sched_interval=2
KillWait=5
MinJobAge=600
EnforcePartLimits=ALL
JobCompType=jobcomp/filetxt
JobCompLoc=$HOME_DIR/finished-jobs.txt
StateSaveLocation=$HOME_DIR/state
SlurmdSpoolDir=$HOME_DIR/spool
SlurmctldPidFile=$HOME_DIR/slurmctld.pid
SlurmdPidFile=$HOME_DIR/slurmd.pid
SlurmctldLogFile=$HOME_DIR/slurmctld.log
SlurmdLogFile=$HOME_DIR/slurmd.log
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=$NODE Default=YES DefaultTime=60 MaxTime=INFINITE State=UP
CONF
}

node_takes_jobs() {
  case $(sinfo -h -o %T -n "$NODE") in
    idle | mixed | allocated | completing) return 0 ;;
    down* | drain*) scontrol update NodeName="$NODE" State=RESUME ;;
  esac
  return 1
}

start_munge() {
  munge -n </dev/null >/dev/null 2>&1 && return
  install -d -m 0755 -o munge -g munge /run/munge
  install -d -m 0700 -o munge -g munge /etc/munge /var/log/munge /var/lib/munge
  if [ ! -s /etc/munge/munge.key ]; then
    (umask 077 && head -c 1024 /dev/urandom >/etc/munge/munge.key)
    chown munge:munge /etc/munge/munge.key
  fi
  runuser -u munge -- "$(command -v munged)" --pid-file=/run/munge/munged.pid
  until_true 20 munged munge -n
  cp /run/munge/munged.pid "$HOME_DIR/munged.pid"
}

start() {
  [ "$(id -u)" = 0 ] || fail "needs root, to install SLURM and to run its daemons"
  install_packages
  mkdir -p "$HOME_DIR/state" "$HOME_DIR/spool" /etc/slurm
  start_munge
  if ! running slurmctld; then
    write_configuration
    slurmctld
    until_true 30 slurmctld scontrol ping
  fi
  running slurmd || slurmd
  until_true 60 "an idle node (see $HOME_DIR/slurmd.log)" node_takes_jobs
  echo "$(sinfo -V) is up: $(sinfo -h -o '%n, %c CPUs, %m MB, partition %P, %T')"
}

stop() {
  if running slurmctld; then
    squeue -h -o %A | sort -u | xargs -r scancel
    for _ in $(seq 50); do
      [ -z "$(squeue -h -o %A)" ] && break
      sleep 0.2
    done
  fi
  for daemon in slurmd slurmctld munged; do
    running "$daemon" || continue
    kill "$(cat "$HOME_DIR/$daemon.pid")"
    for _ in $(seq 100); do
      running "$daemon" || break
      sleep 0.1
    done
  done
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  jobs) echo "$HOME_DIR/finished-jobs.txt" ;;
  *) fail "start, stop or jobs?" ;;
esac
