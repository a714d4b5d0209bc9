import Catalog
import Foundation

/// Scripts for schedulers: one coordinator and its workers.
struct ClusterScript {
  /// Seconds before a time limit at which work is stopped.
  static let noticeSeconds = 120

  let program: String
  /// The coordinator's arguments.
  let coordinator: [String]
  let spool: String
  let workerCount: Int
  let threadCount: Int
  /// Time limit.
  let seconds: Int
  /// Of the job.
  let name: String

  private func quoted(_ words: [String]) -> String { words.map(ShellWord.quoted).joined(separator: " ") }
  private var coordinatorLine: String { quoted([program] + coordinatorArguments) }
  /// With its own number of threads, if it has one.
  private var coordinatorArguments: [String] {
    let isGiven = coordinator.contains { ["--threads", "-j"].contains($0) || $0.hasPrefix("--threads=") }
    return isGiven ? coordinator : coordinator + ["--threads", "\(threadCount)"]
  }
  private var workerLine: String { quoted([program, "worker", spool, "--threads", "\(threadCount)"]) }
  private var clock: String {
    let minutes = (seconds + 59) / 60
    return String(format: "%d:%02d:00", minutes / 60, minutes % 60)
  }

  /// Lines that wait for a child, whatever signals come meanwhile.
  private func waiting(_ child: String) -> String {
    """
    code=
    until [ -n "$code" ]; do
      wait "$\(child)"; code=$?
      # A trap ends a wait as well.
      if [ "$code" -gt 128 ] && kill -0 "$\(child)" 2>/dev/null; then code=; fi
    done
    # Stopped before it could listen.
    if [ "$code" = 143 ]; then code=75; fi
    """
  }

  // MARK: Slurm

  /// One job: the batch shell runs the coordinator, steps are the workers. With a node that is lost Slurm queues the whole job
  /// again. (With --no-kill it would go on without that node, also where it was the coordinator's, until its time limit.)
  var slurm: String {
    """
    #!/bin/bash
    # \(name): a coordinator and \(workerCount) workers of \(threadCount) threads. Submit: sbatch FILE
    #SBATCH --job-name=\(name)
    #SBATCH --ntasks=\(workerCount + 1)
    #SBATCH --cpus-per-task=\(threadCount)
    #SBATCH --time=\(clock)
    #SBATCH --signal=B:USR1@\(Self.noticeSeconds)
    #SBATCH --requeue
    #SBATCH --open-mode=append
    #SBATCH --output=%x-%j.log

    # USR1 comes before the time limit, TERM from scancel, either perhaps before anything has begun: the coordinator stops
    # safely, and ends with 75. srun passes USR1 on to the workers; TERM would have it kill them.
    requeue=
    stop() { kill -TERM "$coordinator" 2>/dev/null; kill -USR1 "$workers" 2>/dev/null; }
    trap 'requeue=yes; stop' USR1
    trap 'requeue=no; stop' TERM
    # The first of the tasks is the coordinator, which runs in this shell; the others are workers.
    srun --ntasks=\(workerCount) --cpus-per-task=\(threadCount) --kill-on-bad-exit=0 --open-mode=append \\
      --output="\(name)-$SLURM_JOB_ID-worker-%t.log" \(workerLine) &
    workers=$!
    \(coordinatorLine) &
    coordinator=$!
    [ -z "$requeue" ] || stop
    \(waiting("coordinator"))
    # Workers end by themselves when the work is done. One that hangs is not waited for.
    if [ "$code" != 0 ]; then kill -USR1 "$workers" 2>/dev/null; fi
    for i in $(seq 30); do kill -0 "$workers" 2>/dev/null || break; sleep 1; done
    kill -KILL "$workers" 2>/dev/null

    # 75: stopped, or another process had the catalog; 137: killed, as for want of memory. The same command goes on.
    case $code in 75 | 137)
      if [ "$requeue" != no ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
        scontrol requeue "$SLURM_JOB_ID"
        sleep 60
      fi ;;
    esac
    exit "$code"

    """
  }

  /// One file for two jobs: the coordinator, and an array of workers.
  var slurmArray: String {
    """
    #!/bin/bash
    # \(name): a coordinator, and \(workerCount) workers of \(threadCount) threads as an array of jobs, which may begin and end at
    # any time. Submit both: sbatch FILE; sbatch --array=1-\(workerCount) FILE
    #SBATCH --job-name=\(name)
    #SBATCH --ntasks=1
    #SBATCH --cpus-per-task=\(threadCount)
    #SBATCH --time=\(clock)
    #SBATCH --signal=B:USR1@\(Self.noticeSeconds)
    #SBATCH --requeue
    #SBATCH --open-mode=append
    #SBATCH --output=%x-%A-%a.log

    # USR1 comes before the time limit, TERM from scancel, either perhaps before anything has begun.
    requeue=
    trap 'requeue=yes; kill -TERM "$process" 2>/dev/null' USR1
    trap 'requeue=no; kill -TERM "$process" 2>/dev/null' TERM
    if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
      job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
      \(workerLine) &
    else
      job=$SLURM_JOB_ID
      \(coordinatorLine) &
    fi
    process=$!
    [ -z "$requeue" ] || kill -TERM "$process" 2>/dev/null
    \(waiting("process"))
    # 0: done. 75: start it again, as after 137: killed. 78: it can never work here.
    case $code in 75 | 137)
      if [ "$requeue" != no ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
        scontrol requeue "$job"
        sleep 60
      fi ;;
    esac
    exit "$code"

    """
  }

  // MARK: Others

  /// PBS: workers by pbsdsh, one for each chunk but the first.
  var pbs: String {
    """
    #!/bin/bash
    # \(name): a coordinator and \(workerCount) workers of \(threadCount) threads. Submit: qsub FILE
    #PBS -N \(name.prefix(15))
    #PBS -l select=\(workerCount + 1):ncpus=\(threadCount):mpiprocs=1
    #PBS -l walltime=\(clock)
    #PBS -r y
    #PBS -k oed
    #PBS -j oe

    cd "$PBS_O_WORKDIR" || exit 74
    # PBS sends TERM before it kills. That may come late, so the job stops itself \(Self.noticeSeconds) s before its limit.
    stopped=
    trap 'stopped=yes; kill -TERM "$coordinator" 2>/dev/null' TERM
    for chunk in $(seq \(workerCount)); do
      pbsdsh -n "$chunk" -- /bin/sh -c \(ShellWord.quoted("exec \(workerLine)")) >>"\(name)-worker-$chunk.log" 2>&1 &
    done
    \(coordinatorLine) &
    coordinator=$!
    [ -z "$stopped" ] || kill -TERM "$coordinator" 2>/dev/null
    (sleep \(max(seconds - Self.noticeSeconds, 60)); kill -TERM "$coordinator" 2>/dev/null) &
    timer=$!
    \(waiting("coordinator"))
    kill "$timer" 2>/dev/null
    if [ "$code" = 75 ]; then qrerun "$PBS_JOBID"; sleep 60; fi
    exit "$code"

    """
  }

  /// LSF: workers by blaunch; jobs that end with 75 are queued again by LSF itself.
  var lsf: String {
    """
    #!/bin/bash
    # \(name): a coordinator and \(workerCount) workers of \(threadCount) threads. Submit: bsub < FILE
    #BSUB -J \(name)
    #BSUB -n \(workerCount + 1)
    #BSUB -R "affinity[core(\(threadCount))]"
    #BSUB -W \((seconds + 59) / 3600):\(String(format: "%02d", (seconds + 59) / 60 % 60))
    #BSUB -wa USR1
    #BSUB -wt \(Self.noticeSeconds / 60)
    #BSUB -Q "75"
    #BSUB -r
    #BSUB -o \(name)-%J.log

    stopped=
    trap 'stopped=yes; kill -TERM "$coordinator" 2>/dev/null' USR1 USR2 TERM
    place=0
    for host in $LSB_HOSTS; do
      if [ "$place" -gt 0 ]; then
        blaunch "$host" \(workerLine) >>"\(name)-worker-$place.log" 2>&1 &
      fi
      place=$((place + 1))
    done
    \(coordinatorLine) &
    coordinator=$!
    [ -z "$stopped" ] || kill -TERM "$coordinator" 2>/dev/null
    \(waiting("coordinator"))
    exit "$code"

    """
  }

  /// GNU parallel, here or over ssh; workers that should be started again are.
  func parallel(logins: String?) -> String {
    let machines = logins.map { " --sshloginfile \(ShellWord.quoted($0))" } ?? ""
    return """
      #!/bin/bash
      # \(name): a coordinator and \(workerCount) workers of \(threadCount) threads, by GNU parallel. Run: bash FILE
      parallel --jobs \(logins == nil ? "\(workerCount)" : "1")\(machines) --line-buffer --tag --joblog +\(ShellWord.quoted(name + ".joblog")) --retries 5 -n0 \\
        \(ShellWord.quoted(workerLine)) ::: $(seq \(workerCount)) >>\(ShellWord.quoted(name + "-workers.log")) 2>&1 &
      workers=$!
      \(coordinatorLine) &
      coordinator=$!
      trap 'kill -TERM "$coordinator" 2>/dev/null' INT TERM HUP
      \(waiting("coordinator"))
      # Done: the workers end by themselves. Else they are ended.
      if [ "$code" != 0 ]; then kill -TERM "$workers" 2>/dev/null; sleep 1; kill -TERM "$workers" 2>/dev/null; fi
      wait "$workers"
      exit "$code"

      """
  }

  /// Kubernetes: a Job for the coordinator and an indexed one for the workers.
  ///
  /// - Parameters:
  ///   - claim: the volume that all of them mount.
  ///   - mount: where.
  func kubernetes(image: String, claim: String, mount: String) -> String {
    func list(_ words: [String]) -> String { "[" + words.map(JSONText.quoted).joined(separator: ", ") + "]" }
    func job(_ suffix: String, _ arguments: [String], _ head: String) -> String {
      """
      apiVersion: batch/v1
      kind: Job
      metadata:
        name: \(name)-\(suffix)
      spec:
      \(head)
        activeDeadlineSeconds: 2592000
        template:
          spec:
            restartPolicy: Never
            terminationGracePeriodSeconds: 60
            containers:
            - name: evodb
              image: \(JSONText.quoted(image))
              command: \(list([program] + arguments))
              env:
              - {name: TMPDIR, value: /scratch}
              resources:
                requests: {cpu: "\(threadCount)"}
                limits: {cpu: "\(threadCount)"}
              volumeMounts:
              - {name: shared, mountPath: \(JSONText.quoted(mount))}
              - {name: scratch, mountPath: /scratch}
            volumes:
            - name: shared
              persistentVolumeClaim: {claimName: \(JSONText.quoted(claim))}
            - name: scratch
              emptyDir: {}

      """
    }
    // 75 is no failure: the pod was asked to stop, or evicted, and is started again. 64 to 78 but for it are.
    let policy = """
        podFailurePolicy:
          rules:
          - action: Ignore
            onExitCodes: {containerName: evodb, operator: In, values: [75]}
          - action: Ignore
            onPodConditions: [{type: DisruptionTarget}]
          - action: FailJob
            onExitCodes: {containerName: evodb, operator: In, values: [64, 65, 66, 71, 73, 77, 78]}
      """
    return """
      # \(name): a coordinator and \(workerCount) workers of \(threadCount) threads. Submit: kubectl apply -f FILE
      # \(claim) is a volume that all pods mount (ReadWriteMany), with the catalog, the model's folder and the spool.

      """
        + job(
          "coordinator", coordinatorArguments,
          "  completions: 1\n  backoffLimit: 10\n" + policy)
        + "---\n"
        + job(
          "workers", ["worker", spool, "--threads", "\(threadCount)"],
          """
            completions: \(workerCount)
            parallelism: \(workerCount)
            completionMode: Indexed
            backoffLimit: \(10 * workerCount)

          """ + policy)
  }
}

/// Texts in YAML and JSON.
private enum JSONText {
  static func quoted(_ text: String) -> String { JSONValue.text(text).compact }
}
