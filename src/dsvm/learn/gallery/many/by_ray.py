"""Each worker is an actor: a process that keeps its parts and is asked for their gradient.

When an actor's process is gone, Ray makes it anew from what it was given and asks it again.
"""

import os
import shutil
import signal
import tempfile

import ray
import train
from train import KILL_AT, SEEDS, asked, parts, run, tell


@ray.remote(num_cpus=1, max_restarts=1, max_task_retries=1)
class Worker:
    def __init__(self, mine):
        self.mine = ray.get(mine)

    def told(self):
        return os.getpid(), ray.get_runtime_context().was_current_actor_reconstructed

    def gradient(self, weights, die):
        if die and not ray.get_runtime_context().was_current_actor_reconstructed:
            os.kill(os.getpid(), signal.SIGKILL)
        return sum(train.gradient(weights, *part) for part in self.mine)


def summed(weights, step):
    weights = ray.put(weights)  # once for all
    last = workers[-1]
    die = kill and step == KILL_AT
    found = [one.gradient.remote(weights, die and one is last) for one in workers]
    return sum(ray.get(found))


address, number, kill = asked()
ray.cloudpickle.register_pickle_by_value(train)  # other machines have no train.py
place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets, whose paths must be short
alone = {
    "num_cpus": number,
    "include_dashboard": False,
    "object_store_memory": 80 * 1024**2,
    "_temp_dir": place,
    "_node_ip_address": "127.0.0.1",
}
try:
    ray.init(address=address, log_to_driver=False, **(alone if address == "local" else {}))
    all_parts = parts()
    shared = [ray.put(part) for part in all_parts]  # who begins anew fetches them again
    workers = [Worker.remote(shared[rank::number]) for rank in range(number)]
    ray.get([one.told.remote() for one in workers])
    took = run(
        "ray-killed" if kill else "ray",
        summed,
        sum(len(labels) for _, labels in all_parts),
        seeds=SEEDS[:1] if kill else SEEDS,
    )
    told = ray.get([one.told.remote() for one in workers])
finally:
    ray.shutdown()
    shutil.rmtree(place, ignore_errors=True)
tell(
    seconds=took,
    workers=len({pid for pid, _ in told}),
    killed=sum(again for _, again in told),
)
