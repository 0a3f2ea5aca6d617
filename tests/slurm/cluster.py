"""A SLURM cluster on this one machine: munge, a controller and three nodes, one of which has (made-up) GPUs.

The daemons are Debian's; only the machine is pretended. There is no systemd and no
cgroup here, so that memory is watched by SLURM's own accounting of processes. All
files lie in one folder, but for links in /etc/slurm: a job's inner srun is started
without SLURM's variables and looks for the configuration there.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
NODES = ("cpu1", "cpu2", "gpu1")
_GPUS = 8
_SYSTEM = Path("/etc/slurm")
_CONFIGURATION = ("slurm.conf", "gres.conf")

_SLURM_CONF = """\
ClusterName=loopback
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
StateSaveLocation={folder}/state
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=200
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
SchedulerParameters=defer_batch,sched_min_interval=200000,bf_interval=2,default_queue_depth=1000
SlurmctldTimeout=30
SlurmdTimeout=15
KillWait=20
MinJobAge=7200
OverTimeLimit=0
JobRequeue=0
ReturnToService=2
MaxArraySize=10001
NodeName=cpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu1} CPUs=16 RealMemory=200000
NodeName=cpu2 NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu2} CPUs=16 RealMemory=200000
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={gpu1} CPUs=16 RealMemory=200000 Gres=gpu:{gpus}
PartitionName=cpu Nodes=cpu1,cpu2 Default=YES MaxTime=2-00:00:00
PartitionName=gpu Nodes=gpu1 MaxTime=2-00:00:00
"""


class Cluster:
    """The running cluster of `folder`; `stop` leaves nothing behind but its logs."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "state").mkdir(parents=True)
        if any((_SYSTEM / name).exists() for name in _CONFIGURATION):
            raise RuntimeError(f"{_SYSTEM} has a configuration: this machine has a SLURM of its own.")
        self._write_configuration()
        self._start_munge()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        wait_for(lambda: self.states() == dict.fromkeys(NODES, "idle"), "three idle nodes", seconds=60)

    def stop(self) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self.ask("scancel", "--user", "root")
            wait_for(lambda: not self.ask("squeue", "--noheader"), "the end of the jobs", seconds=30)
        for node in NODES:
            self.lose_node(node)
        for daemon in ("slurmctld", "munge"):
            _kill(self._pid(daemon))
        for name in _CONFIGURATION:
            (_SYSTEM / name).unlink()

    def ask(self, *command: str) -> str:
        """What a command of SLURM answers."""
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def states(self) -> dict[str, str]:
        lines = self.ask("sinfo", "--noheader", "--Node", "--format", "%N %T").splitlines()
        return dict(line.split() for line in lines)

    def job(self, number: str) -> dict[str, str]:
        """What SLURM knows of a job: JobState, NodeList, MinMemoryNode …"""
        words = self.ask("scontrol", "--oneliner", "show", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def start_controller(self) -> None:
        subprocess.run(["slurmctld"], check=True)
        wait_for(lambda: "UP" in self._ping(), "the controller", seconds=60)

    def kill_controller(self) -> None:
        _kill(self._pid("slurmctld"))
        wait_for(lambda: "DOWN" in self._ping(), "the controller's end", seconds=60)

    def start_node(self, node: str) -> None:
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        subprocess.run(["slurmd", "-N", node], check=True)

    def lose_node(self, node: str) -> None:
        """As a power cut: the node's daemon and all that it runs are gone at once."""
        for pid in (self._pid(node), *_processes_on(node)):
            _kill(pid)

    def _ping(self) -> str:
        return subprocess.run(["scontrol", "ping"], capture_output=True, text=True).stdout

    def _pid(self, daemon: str) -> int:
        return int((self.folder / f"{daemon}.pid").read_text())

    def _write_configuration(self) -> None:
        ports = dict(zip(("port", *NODES), _free_ports(1 + len(NODES)), strict=True))
        text = _SLURM_CONF.format(
            folder=self.folder, host=socket.gethostname().split(".")[0], gpus=_GPUS, **ports
        )
        (self.folder / "slurm.conf").write_text(text)
        devices = [self.folder / f"gpu{number}" for number in range(_GPUS)]
        for device in devices:
            subprocess.run(["mknod", device, "c", "1", "3"], check=True)  # as good as /dev/null
        lines = [f"NodeName=gpu1 Name=gpu File={device}\n" for device in devices]
        (self.folder / "gres.conf").write_text("".join(lines))
        _SYSTEM.mkdir(exist_ok=True)
        for name in _CONFIGURATION:
            (_SYSTEM / name).unlink(missing_ok=True)  # of tests that were killed: it leads nowhere
            (_SYSTEM / name).symlink_to(self.folder / name)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        files = {f"--{kind}-file={self.folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")}
        subprocess.run(["munged", "--force", f"--socket={self.folder}/munge.socket", *files], check=True)


def available() -> bool:
    """Whether the programs are there and may be run: SLURM starts jobs as any user, so it must be root."""
    return all(map(shutil.which, PROGRAMS)) and os.geteuid() == 0


def wait_for(found: Callable[[], object], what: str, seconds: float):
    """What `found` returns as soon as that is true; busy machines need time."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)
    return answer


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _processes_on(node: str) -> set[int]:
    """The jobs' processes on a node, which their environment names, and SLURM's own above each of them."""
    jobs = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if f"\0SLURMD_NODENAME={node}\0".encode() in (process / "environ").read_bytes():
                jobs |= {int(process.name), _parent_of(process)}
    return jobs - {1, os.getpid()}


def _parent_of(process: Path) -> int:
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])
