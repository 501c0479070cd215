# %% [markdown] lang="en"
# # When one machine is not enough
#
# A model or its data outgrow one computer: then several work on one training. How can they, and
# still find what one alone would have found? And what if one of them dies in the middle?
#
# Here one small training runs four times: by **one process**, and then by several worker processes
# with the three tools that people use for it, **torch.distributed**, **Ray** and **Spark**. All must
# end with the same weights. Then we kill a worker, and they must end with the same weights again.
#
# The workers are processes of this one machine, so that you need no second one. For several
# machines only the addresses below change. Nothing is downloaded. It takes a minute or two.

# %% [markdown] lang="ko"
# # 컴퓨터 한 대로 모자랄 때
#
# 모델이나 데이터가 컴퓨터 한 대에 담기 어려울 만큼 커지면 여러 대가 한 학습을 나누어 맡습니다. 어떻게 나누어야 혼자 했을 때와
# 똑같은 결과를 얻을까요? 도중에 한 대가 죽으면 어떻게 될까요?
#
# 여기서는 작은 학습 하나를 네 번 실행합니다. 먼저 **프로세스 하나**로, 그다음에는 사람들이 널리 쓰는 세 도구
# **torch.distributed**, **Ray**, **Spark**로 여러 작업자(worker) 프로세스에 나누어 실행합니다. 네 번 모두 같은 가중치로
# 끝나야 합니다. 그러고 나서 작업자 하나를 죽입니다. 그래도 같은 가중치로 끝나야 합니다.
#
# 컴퓨터가 한 대 더 없어도 되도록 작업자는 모두 이 머신의 프로세스입니다. 여러 대를 쓸 때는 아래의 주소만 바뀝니다.
# 내려받는 것은 없습니다. 1, 2분쯤 걸립니다.

# %%
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from train import KILL_AT, SEEDS, STEPS, answers

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
WORKERS = 2
ADDRESS = {
    "torch": "127.0.0.1:0",  # several machines: "first-machine:29400"
    "Ray": "local",  # "first-machine:6379"
    "Spark": f"local-cluster[{WORKERS},1,700]",  # "spark://first-machine:7077"
}

# %% [markdown] lang="en"
# ## The data and the training
#
# The handwritten digits that come with scikit-learn. A quarter is kept to judge by. Each of the
# others is also shown shifted by one pixel in all directions, which makes 12,123 pictures.

# %% [markdown] lang="ko"
# ## 데이터와 학습
#
# scikit-learn에 들어 있는 손글씨 숫자입니다. 4분의 1은 평가하려고 남겨 둡니다. 나머지는 사방으로 한 픽셀씩 옮긴 것도 함께
# 보여 주어 모두 12,123장이 됩니다.

# %%
digits = load_digits()
seen, unseen, labels, truth = train_test_split(
    digits.images / 16, digits.target, test_size=0.25, random_state=0, stratify=digits.target
)
shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
images = np.concatenate([np.roll(seen, shift, axis=(1, 2)) for shift in shifts])
order = np.random.default_rng(0).permutation(len(images))
place = tempfile.TemporaryDirectory(prefix="many-")
WORK = Path(place.name)
np.savez(
    WORK / "digits.npz",
    images=images.reshape(len(images), -1)[order],
    labels=np.tile(labels, len(shifts))[order],
)
print(f"{len(images)} pictures to learn from, {len(unseen)} to judge by")

# %% [markdown] lang="en"
# The training is in `train.py`, beside this notebook. Read how small the part is that matters: the
# gradient of *all* pictures is the **sum** of the gradients of its parts, whoever computes them.
# Each worker takes some parts, the sums are added up, and all go on from the same new weights. This
# is called *synchronous data parallel* training. It changes where the work is done, not its result.

# %% [markdown] lang="ko"
# 학습은 이 노트북 옆의 `train.py`에 있습니다. 중요한 부분이 얼마나 짧은지 읽어 보세요. *모든* 그림의 기울기(gradient)는 부분들의
# 기울기를 **더한 것**이고, 누가 계산하든 같습니다. 작업자마다 몇 부분을 맡고, 그 합을 모두 더한 다음, 다 같이 새로운 같은
# 가중치에서 이어 갑니다. 이것을 *동기식 데이터 병렬* 학습이라 합니다. 일하는 곳이 달라질 뿐 결과는 달라지지 않습니다.

# %%
script = (HERE / "train.py").read_text()
print(script[script.index("def gradient") : script.index("def fresh")])
print(script[script.index("def train") : script.index("def run")])

# %% [markdown] lang="en"
# ## The same training, four times
#
# Each way has a short script of its own, which says how the sum comes about: `by_torch.py`,
# `by_ray.py`, `by_spark.py`. Each runs in the environment of its tool, which every machine that you
# make from the same `dsvm.toml` has at the same place. A worker may use one processor, as the single
# process may: else the comparison would be unfair. Three trainings each, from different beginnings.

# %% [markdown] lang="ko"
# ## 같은 학습을 네 번
#
# 방법마다 합을 어떻게 구하는지 적은 짧은 스크립트가 있습니다. `by_torch.py`, `by_ray.py`, `by_spark.py`입니다. 각각 그 도구의
# 환경에서 실행되는데, 같은 `dsvm.toml`로 만든 머신이라면 모두 같은 자리에 그 환경이 있습니다. 공정하게 비교하려고 작업자는
# 프로세스 하나와 마찬가지로 프로세서를 하나만 씁니다. 시작점을 바꾸어 가며 세 번씩 학습합니다.

# %%
ENVIRONMENTS = Path("/opt/dsvm/envs")
here = ADDRESS["torch"].startswith("127.")
COMMANDS = {
    "one process": [sys.executable, "train.py"],
    "torch": [
        *(ENVIRONMENTS / "pytorch/bin/python", "-m", "torch.distributed.run"),
        # With two machines --nnodes=2, and this command is typed on both.
        *("--nnodes=1", f"--nproc-per-node={WORKERS}", "--max-restarts=3"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={ADDRESS['torch']}"),
        *(["--local-addr=127.0.0.1"] if here else []),
        *(f"--log-dir={WORK}", "by_torch.py"),
    ],
    "Ray": [ENVIRONMENTS / "cluster/bin/python", "by_ray.py"],
    "Spark": [ENVIRONMENTS / "spark/bin/python", "by_spark.py"],
}
SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Nothing is sent to Ray's maker, and only who knows the token joins.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN", secrets.token_hex()),
    # Whoever is started again must not find the addresses of those who died.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    **({"GLOO_SOCKET_IFNAME": "lo"} if here else {}),
}


def work(way, *more):
    """What a way tells of its trainings; with the seconds of the whole command."""
    *command, program = COMMANDS[way]
    words = [str(WORKERS), *more]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, HERE / program, ADDRESS.get(way, ""), *words],
        cwd=WORK,
        env={**os.environ, **SETTINGS},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr[-3000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return {**told, "all": time.perf_counter() - began}


def weights(name, seed):
    return np.load(WORK / f"{name}-{seed}.npy")


FILES = {"one process": "one", "torch": "torch", "Ray": "ray", "Spark": "spark"}
ran = {way: work(way) for way in COMMANDS}
differ = {
    way: max(float(np.abs(weights(file, seed) - weights("one", seed)).max()) for seed in SEEDS)
    for way, file in FILES.items()
}
pixels = unseen.reshape(len(unseen), -1)
accuracy = [
    float((answers(weights("one", seed), pixels)[1].argmax(axis=1) == truth).mean())
    for seed in SEEDS
]
print(f"unseen digits read right: {np.mean(accuracy):.3f} ± {np.std(accuracy):.3f}")
for way, told in ran.items():
    print(
        f"{way:12} {told.get('workers', 1)} worker(s), weights differ by {differ[way]:.1e}, "
        f"{np.mean(told['seconds']):.1f} s a training, {told['all']:.1f} s with start and end"
    )

# %% [markdown] lang="en"
# The weights are not *nearly* right: they differ by less than a millionth of a millionth, because
# sums of floating-point numbers depend a little on their order.
#
# ## Is it faster?
#
# Look honestly. Two workers can halve the *computing*; but after each step they wait for each other
# and send their sums around. torch.distributed hands them directly from process to process. Ray goes
# through a store that all workers see. Spark plans a job with tasks for every step; it is made for
# few steps over huge tables, not for many small ones. Below 1 the whole effort cost time: on two
# processors, which everything else uses too, and for a training of seconds, that is what you must
# expect. It pays when a step takes much longer than talking about it.

# %% [markdown] lang="ko"
# 가중치가 *거의* 맞는 것이 아닙니다. 차이는 1조분의 1도 되지 않습니다. 부동소수점 수는 더하는 순서에 따라 합이 아주 조금
# 달라지기 때문에 생기는 차이입니다.
#
# ## 더 빠른가?
#
# 솔직하게 봅시다. 작업자가 둘이면 *계산* 시간은 반으로 줄 수 있습니다. 하지만 스텝마다 서로를 기다리고 합을 주고받습니다.
# torch.distributed는 프로세스끼리 직접 건네줍니다. Ray는 모든 작업자가 보는 저장소를 거칩니다. Spark는 스텝마다 작업(job)과
# 태스크를 계획합니다. Spark는 거대한 표를 몇 스텝에 처리하려고 만든 것이지, 작은 스텝을 많이 밟으려고 만든 것이 아닙니다.
# 1보다 작으면 애쓴 만큼 오히려 시간을 잃은 것입니다. 다른 프로그램도 함께 쓰는 프로세서 두 개에서, 몇 초면 끝나는 학습이라면
# 그렇게 되는 것이 당연합니다. 한 스텝의 계산이 주고받는 시간보다 훨씬 길 때 값을 합니다.

# %%
alone = np.array(ran["one process"]["seconds"])
faster = {way: alone / np.array(ran[way]["seconds"]) for way in FILES if way != "one process"}
for way, times in faster.items():
    print(f"{way:6} is {times.mean():.2f} ± {times.std():.2f} times as fast as one process")
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
for number, way in enumerate(FILES):
    left.scatter([number] * len(SEEDS), ran[way]["seconds"])
    rest = ran[way]["all"] - sum(ran[way]["seconds"])
    right.bar(
        number, sum(ran[way]["seconds"]), color="tab:blue", label="" if number else "training"
    )
    right.bar(
        number,
        rest,
        bottom=sum(ran[way]["seconds"]),
        color="lightgray",
        label="" if number else "start and end",
    )
for axis in (left, right):
    axis.set_xticks(range(len(FILES)), FILES)
    axis.set_ylim(bottom=0)
left.set(ylabel="seconds", title="one training, from each of three beginnings")
right.set(ylabel="seconds", title="the whole command")
right.legend()
figure.tight_layout()
figure.savefig("1-speed.png", dpi=90)

# %% [markdown] lang="en"
# ## One dies
#
# With many machines, one of them fails every day. So now a worker is killed in the middle of the
# training, by a signal (`SIGKILL`) that no program can catch: it is gone without a word.
#
# - **torch.distributed**: all processes wait for the dead one. `torchrun` sees that it is gone, ends
#   the others too, and starts all anew; they go on from the last *checkpoint*, which the script keeps
#   every ten steps. The steps since then are done twice.
# - **Ray**: the dead worker is one *actor*. Ray makes it anew from what it was given and asks it once
#   more. The others merely wait.
# - **Spark** knows how each piece of a table came about. It starts another worker, gives it the lost
#   pieces and runs the lost tasks again.

# %% [markdown] lang="ko"
# ## 하나가 죽는다
#
# 머신이 많으면 그중 하나는 날마다 고장이 납니다. 그래서 이번에는 학습 도중에 작업자 하나를 죽입니다. 어떤 프로그램도 막을 수 없는
# 신호(`SIGKILL`)를 보내므로 한마디도 남기지 못하고 사라집니다.
#
# - **torch.distributed**: 모든 프로세스가 죽은 프로세스를 기다립니다. `torchrun`이 그것을 알아채고 나머지도 끝낸 뒤 모두 새로
#   시작합니다. 스크립트가 열 스텝마다 남겨 둔 마지막 *체크포인트*에서 이어 갑니다. 그 뒤의 스텝은 두 번 하게 됩니다.
# - **Ray**: 죽은 작업자는 *액터(actor)* 하나입니다. Ray는 처음에 준 것으로 액터를 새로 만들고 다시 묻습니다. 다른 작업자는
#   기다리기만 합니다.
# - **Spark**는 표의 조각마다 그것이 어떻게 만들어졌는지 압니다. 다른 작업자를 시작해 잃어버린 조각을 주고, 잃어버린 태스크를 다시
#   실행합니다.

# %%
killed = {way: work(way, "kill") for way in FILES if way != "one process"}
after = {
    way: float(np.abs(weights(f"{FILES[way]}-killed", SEEDS[0]) - weights("one", SEEDS[0])).max())
    for way in killed
}
figure, axis = plt.subplots(figsize=(9, 3.6))
for way, told in killed.items():
    print(
        f"{way:6} {told['killed']} killed at step {KILL_AT}; it finished in {told['all']:.1f} s, "
        f"weights differ by {after[way]:.1e}"
    )
    when, step, _ = np.loadtxt(WORK / f"{FILES[way]}-killed.csv", delimiter=",").T
    axis.plot(when - when[0], step, ".-", label=way)
axis.axhline(KILL_AT, color="gray", linestyle=":")
where = (0.99, KILL_AT + 0.5)
axis.annotate("here a worker is killed", where, xycoords=("axes fraction", "data"), ha="right")
axis.set(xlabel="seconds since the first step", ylabel="steps done", ylim=(0, STEPS + 2))
axis.legend(loc="lower right")
figure.tight_layout()
figure.savefig("2-killed.png", dpi=90)

# %% [markdown] lang="en"
# A flat piece is the wait until a new worker is there; where the line falls, steps are done again.
# All three finish, with the weights of the one process that nobody disturbed.
#
# ## With several machines
#
# Make each machine from the same `dsvm.toml`, in a network where they reach each other and nobody
# else does: none of the three asks who you are unless you tell it to. Then
#
# - torch: the address of the first machine, `--nnodes=2`, and this folder and the data on each;
#   type the same command on every machine;
# - Ray: `ray start --head` on the first machine, `ray start --address=first-machine:6379` on the
#   others; all with the same `RAY_AUTH_TOKEN`;
# - Spark: its standalone `Master` on the first machine, a `Worker` on each.
#
# Change `ADDRESS` and `WORKERS` above. The rest of this page stays as it is. Of these three only
# Spark's was tried so far, with a standalone master and two workers on one machine: *not tested:
# several machines*.

# %% [markdown] lang="ko"
# 평평한 구간은 새 작업자가 나타날 때까지 기다린 시간입니다. 선이 내려가는 곳에서는 스텝을 다시 합니다. 셋 모두 끝까지 가고,
# 아무도 방해하지 않은 프로세스 하나와 같은 가중치를 얻습니다.
#
# ## 머신이 여러 대일 때
#
# 머신을 모두 같은 `dsvm.toml`로 만들고, 서로만 닿을 수 있는 네트워크에 둡니다. 따로 설정하지 않으면 셋 중 어느 것도 누구인지
# 묻지 않기 때문입니다. 그다음에는
#
# - torch: 첫 머신의 주소를 적고 `--nnodes=2`로 바꿉니다. 이 폴더와 데이터를 머신마다 두고 모든 머신에서 같은 명령을 입력합니다.
# - Ray: 첫 머신에서 `ray start --head`, 나머지에서 `ray start --address=first-machine:6379`를 실행합니다.
#   `RAY_AUTH_TOKEN`은 모두 같아야 합니다.
# - Spark: 첫 머신에서 독립 실행(standalone) `Master`를, 머신마다 `Worker`를 실행합니다.
#
# 위의 `ADDRESS`와 `WORKERS`를 바꾸세요. 이 페이지의 나머지는 그대로입니다. 셋 가운데 지금까지 해 본 것은 Spark뿐이며, 머신 한 대에서
# 독립 실행 마스터와 작업자 둘로 했습니다. *not tested: several machines*(여러 대로는 시험하지 않음).

# %%
place.cleanup()
print(
    json.dumps(
        {
            "accuracy": round(float(np.mean(accuracy)), 4),
            "accuracy, spread": round(float(np.std(accuracy)), 4),
            **{f"{way}: differs from one process by": differ[way] for way in killed},
            "workers killed": sum(told["killed"] for told in killed.values()),
            "finished after a kill": len(after),
            "differs after a kill by": max(after.values()),
            **{f"{way}: times as fast": round(float(faster[way].mean()), 3) for way in killed},
            **{
                f"{way}: times as fast, spread": round(float(faster[way].std()), 3)
                for way in killed
            },
        }
    )
)
