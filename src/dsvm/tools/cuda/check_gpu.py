"""A kernel ran on the GPU and its numbers are right, by the driver alone; tells the GPU.

The machine itself finds that out at each start, to choose its variants: here it does so anew.
"""

import json
import os
import sys

import dsvm_check

told = json.loads(dsvm_check.say(["dsvm-guest", "hardware", "--json"]))
nvidia = told["nvidia"]
gpus = [gpu for gpu in told["gpus"] if gpu["vendor"] == "NVIDIA"]
if not nvidia["present"]:
    if os.environ.get("DSVM_VARIANT") == "nvidia":
        sys.exit("the nvidia build is mounted, but there is no GPU")
    # Under `nspawn` the host's PCI devices are seen, whether or not the machine was given them.
    seen = ", ".join(gpu["address"] for gpu in gpus)
    print(f"no GPU (PCI shows {seen}, not given to it)" if seen else "no GPU")
    sys.exit(77)
if fault := nvidia["fault"]:
    sys.exit(f"{fault['text']}; {fault['remedy']}")
gpu = next((gpu for gpu in gpus if gpu["memory"]), {})
dsvm_check.passed(
    device="cuda",
    gpu=gpu.get("name"),
    memory_gib=round(gpu.get("memory", 0) / 1024**3, 1),
    compute_capability=nvidia["capability"],
    versions={"CUDA of the driver": nvidia["cuda"], "driver": nvidia["driver"] or "unknown"},
)
