# %% [markdown] lang="en"
# # Why a GPU
#
# A network learns by multiplying matrices: large tables of numbers, again and again. So the question
# *do I need a GPU?* is really two: how fast can my computer multiply, and is my work large enough to
# keep something faster busy?
#
# Here you measure both on **this** machine: one product and one training step on one thread, on all
# threads, and on the GPU if there is one. If there is none, its places say *not tested: no GPU*; no
# number is made up. Nothing is downloaded. It takes half a minute on two processors.

# %% [markdown] lang="ko"
# # 왜 GPU인가
#
# 신경망은 행렬을 곱하면서 배웁니다. 커다란 숫자 표를 곱하고 또 곱합니다. 그래서 *GPU가 필요한가?* 라는 물음은 사실 두 가지입니다.
# 내 컴퓨터는 얼마나 빨리 곱할 수 있는가, 그리고 내 일은 더 빠른 장치를 쉬지 않게 할 만큼 큰가입니다.
#
# 여기서는 둘 다 **이** 머신에서 잽니다. 행렬 곱 하나와 학습 한 스텝을 스레드 하나로, 모든 스레드로, 그리고 GPU가 있으면 GPU로
# 실행합니다. GPU가 없으면 그 자리에 *not tested: no GPU*(GPU가 없어 재지 않음)라고 나옵니다. 지어낸 숫자는 없습니다. 내려받는
# 것도 없습니다. 프로세서 두 개로 30초쯤 걸립니다.

# %%
import json
import os
import re
import subprocess
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

NO_GPU = "not tested: no GPU"
CPUS = len(os.sched_getaffinity(0))
WAYS = {"one thread": ("cpu", 1), "all threads": ("cpu", CPUS)}
if torch.cuda.is_available():
    WAYS["GPU"] = ("cuda", CPUS)
ROUNDS = 5
print(subprocess.run(["dsvm-guest", "hardware"], capture_output=True, text=True).stdout)
print("measured here:", ", ".join(WAYS), "" if "GPU" in WAYS else f"(GPU: {NO_GPU})")

# %% [markdown] lang="en"
# ## One product
#
# To multiply two tables of *n* x *n* numbers takes *n* multiplications and *n* additions for each of
# the *n*² results: 2*n*³ steps of arithmetic. Divide by the seconds, and you know how many steps a
# second the machine does; a billion of them is one *GFLOP/s*.
#
# A clock alone proves nothing, so first: is the product right? Numbers of 32 bits keep about seven
# digits. We compare with the same product in 64 bits.

# %% [markdown] lang="ko"
# ## 행렬 곱 하나
#
# 숫자가 *n* x *n*개인 표 둘을 곱하면 결과 *n*²개마다 곱셈 *n*번과 덧셈 *n*번이 필요합니다. 모두 2*n*³번의 연산입니다. 이것을 걸린
# 초로 나누면 초당 연산 횟수가 나옵니다. 초당 10억 번이 1 *GFLOP/s*입니다.
#
# 시간만 재서는 아무것도 증명되지 않으므로, 먼저 답이 맞는지 봅니다. 32비트 수는 일곱 자리쯤까지 정확합니다. 같은 곱을 64비트로
# 계산한 것과 비교합니다.


# %%
def seconds(device, work, *words):
    """The best of many tries: what the machine can do when nobody disturbs it."""
    tries, began = [], time.perf_counter()
    while len(tries) < 4 or (len(tries) < 100 and time.perf_counter() - began < 0.5):
        start = time.perf_counter()
        work(*words)
        if device == "cuda":
            torch.cuda.synchronize()  # it only now has done what it was told
        tries.append(time.perf_counter() - start)
    return min(tries[1:])  # the first one warms up


def tables(n, device, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, n, generator=draw).to(device) for _ in range(2)]


wrong = {}
for way, (device, threads) in WAYS.items():
    torch.set_num_threads(threads)
    errors = []
    for seed in range(ROUNDS):
        one, other = tables(500, device, seed)
        true = one.cpu().double() @ other.cpu().double()
        errors.append(float(((one @ other).cpu() - true).abs().max() / true.abs().max()))
    wrong[way] = max(errors)
    print(f"{way:12} differs from the product in 64 bits by {wrong[way]:.1e}")

# %% [markdown] lang="en"
# ## Small and large
#
# Now by size. Small products are slow for what they are: calling the function, waking the threads
# or starting the GPU takes longer than the arithmetic. To each way of computing belongs a size from
# which it pays.

# %% [markdown] lang="ko"
# ## 작은 것과 큰 것
#
# 이번에는 크기를 바꾸어 봅니다. 작은 곱은 크기에 비해 느립니다. 함수를 부르고, 스레드를 깨우고, GPU를 시작하는 데 계산보다 더 오래
# 걸리기 때문입니다. 계산하는 방법마다 값을 하기 시작하는 크기가 있습니다.

# %%
SIZES = [16, 32, 64, 128, 256, 512, 1024, 1536]
if "GPU" in WAYS:
    SIZES += [2048, 4096, 8192]
SLOW = 0.3


def there_and_back(one, other, device):
    """The product of what lies in the computer's memory, brought back there."""
    return (one.to(device) @ other.to(device)).cpu()


rates = {way: {} for way in WAYS}
carried = {}
for way, (device, threads) in WAYS.items():
    torch.set_num_threads(threads)
    for n in SIZES:
        one, other = tables(n, device)
        took = seconds(device, torch.matmul, one, other)
        rates[way][n] = 2 * n**3 / took / 1e9
        if device == "cuda":
            took = seconds(device, there_and_back, one.cpu(), other.cpu(), device)
            carried[n] = 2 * n**3 / took / 1e9
        if took > SLOW:  # the next one would take eight times as long
            break
for n in rates["one thread"]:
    print(f"{n:5}", *(f"{way} {found[n]:8.1f}" for way, found in rates.items() if n in found))

# %% [markdown] lang="en"
# ## Against the machine's own peak
#
# Is that good? There are two peaks to compare with.
#
# The **peak on paper** is processors x clock x steps a clock tick. A processor with AVX2 adds and
# multiplies (both count) eight numbers of 32 bits in each of two units at once: 32 steps a tick. With
# AVX-512 it may be 64, but several makers join the same two units for it, and then it stays at 32.
# And the clock that the system names is not always the one it runs at. So paper is a hint.
#
# The **measured peak** is the best that a large product reaches here. It is what you can really have,
# so we take this one for the roof of the picture. The slope on its left is the memory: it was measured
# by copying. Work that does little with each number it reads (adding two tables) is held up by memory,
# whatever the processor can do; a large product uses each number *n* times and reaches the roof. This
# picture is called a *roofline* (Williams, Waterman and Patterson, 2009). Some dots may lie above the
# slope: small tables stay in the processor's own caches, and reading alone is faster than copying.

# %% [markdown] lang="ko"
# ## 이 머신의 한계와 비교하면
#
# 좋은 성적일까요? 비교할 한계가 두 가지 있습니다.
#
# **종이 위의 한계**는 프로세서 수 x 클록 x 클록 한 번에 하는 연산 수입니다. AVX2가 있는 프로세서는 32비트 수 여덟 개의 곱셈과
# 덧셈을(둘 다 셉니다) 두 장치에서 한꺼번에 하므로 클록마다 32번입니다. AVX-512라면 64번일 수도 있지만, 같은 두 장치를 이어 붙여 쓰는
# 제조사도 있어서 그때는 그대로 32번입니다. 게다가 시스템이 알려 주는 클록이 실제로 도는 클록과 늘 같지는 않습니다. 그러니 종이 위의
# 값은 짐작일 뿐입니다.
#
# **잰 한계**는 여기서 큰 곱이 낸 가장 좋은 값입니다. 실제로 얻을 수 있는 값이므로 그림의 지붕으로 삼습니다. 왼쪽의 비탈은 메모리로,
# 복사하면서 쟀습니다. 읽은 숫자로 하는 일이 적으면(표 두 개 더하기) 프로세서가 아무리 빨라도 메모리에 발이 묶입니다. 큰 곱은 숫자
# 하나를 *n*번 쓰므로 지붕에 닿습니다. 이런 그림을 *루프라인(roofline)* 이라 합니다(Williams, Waterman, Patterson, 2009).
# 비탈보다 위에 있는 점도 있을 수 있습니다. 작은 표는 프로세서 안의 캐시에 머물고, 읽기만 하는 것은 복사보다 빠르기 때문입니다.

# %%
MOST = {"avx512f": (32, 64), "avx2": (32, 32), "avx": (16, 16), "asimd": (16, 32), "sse2": (8, 16)}
told = Path("/proc/cpuinfo").read_text()
flags = set(re.search(r"^(?:flags|Features)\s*:(.*)$", told, re.M)[1].split())
clock = re.search(r"^cpu MHz\s*:\s*([\d.]+)", told, re.M)
ticks = next((most for flag, most in MOST.items() if flag in flags), None)
if clock and ticks:
    low, high = (CPUS * float(clock[1]) / 1000 * each for each in ticks)
    print(f"peak on paper: {low:.0f} to {high:.0f} GFLOP/s at {float(clock[1]):.0f} MHz")
else:
    print("peak on paper: the system does not name its clock")

roofs, dots = {}, {}
for way, (device, threads) in WAYS.items():
    torch.set_num_threads(threads)
    long = torch.ones(32_000_000, device=device)
    copy = torch.empty_like(long)
    memory = 2 * 4 * len(long) / seconds(device, copy.copy_, long) / 1e9
    added = len(long) / seconds(device, copy.add_, 1) / 1e9
    table, row = tables(4000, device)[0], torch.ones(4000, device=device)
    times_row = 2 * 4000**2 / seconds(device, torch.mv, table, row) / 1e9
    roofs[way] = (memory, max(rates[way].values()))
    # Steps for each byte: a product reads 2 and writes 1 table of 4n² bytes.
    dots[way] = [(1 / 8, added), (1 / 2, times_row), *((n / 6, r) for n, r in rates[way].items())]
    print(f"{way:12} measured peak {roofs[way][1]:.0f} GFLOP/s, memory {memory:.1f} GB/s")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
for way, found in rates.items():
    (line,) = left.loglog(list(found), list(found.values()), "o-", label=way)
    memory, peak = roofs[way]
    work = np.logspace(-1.2, 3.2, 50)
    right.loglog(work, np.minimum(peak, memory * work), color=line.get_color())
    right.loglog(*zip(*dots[way], strict=True), "o", color=line.get_color(), label=way)
if carried:
    left.loglog(list(carried), list(carried.values()), "o--", label="GPU, carried there and back")
left.set(xlabel="size n of the tables", ylabel="GFLOP/s", title="a product, by size")
right.set(xlabel="steps for each byte of memory", title="the roof, and what was reached")
for axis in (left, right):
    axis.legend()
    axis.grid(alpha=0.3)
figure.tight_layout()
figure.savefig("1-products.png", dpi=90)

# %% [markdown] lang="en"
# ## One training step
#
# A step of learning is a few products forward, twice as many backward, and some small work between.
# Here a network of three layers takes 128 pictures of 28 x 28 pixels; it gets wider and wider. Again
# we first look whether the step is right: the weights after it, against 64 bits.

# %% [markdown] lang="ko"
# ## 학습 한 스텝
#
# 학습 한 스텝은 앞으로 가는 곱 몇 번, 뒤로 가는 곱 두 배, 그리고 그 사이의 자잘한 일입니다. 여기서는 세 층짜리 신경망이 28 x 28 픽셀
# 그림 128장을 받고, 층의 너비는 점점 넓어집니다. 이번에도 한 스텝이 맞는지부터 봅니다. 스텝을 마친 뒤의 가중치를 64비트와 비교합니다.


# %%
def training(width, device, kind=torch.float32, seed=0):
    """A function that does one step, and the network."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        *(torch.nn.Linear(784, width), torch.nn.ReLU(), torch.nn.Linear(width, width)),
        *(torch.nn.ReLU(), torch.nn.Linear(width, 10)),
    )
    images, labels = torch.randn(128, 784), torch.randint(10, (128,))
    network.to(device, kind)
    images, labels = images.to(device, kind), labels.to(device)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step, network


def after_a_step(*how):
    step, network = training(64, *how)
    step()
    return torch.cat([one.detach().flatten().cpu().double() for one in network.parameters()])


WIDTHS = [32, 128, 512, 1024]
steps, step_wrong = {way: {} for way in WAYS}, {}
for way, (device, threads) in WAYS.items():
    torch.set_num_threads(threads)
    step_wrong[way] = max(
        float(
            (after_a_step(device, torch.float32, s) - after_a_step("cpu", torch.float64, s))
            .abs()
            .max()
        )
        for s in range(ROUNDS)
    )
    for width in WIDTHS:
        step, _ = training(width, device)
        steps[way][width] = 1 / seconds(device, step)
for way, found in steps.items():
    print(f"{way:12} steps a second:", {width: round(rate) for width, rate in found.items()})
figure, axis = plt.subplots(figsize=(7, 3.6))
for way, found in steps.items():
    axis.loglog(list(found), list(found.values()), "o-", label=way)
axis.set(xlabel="width of the layers", ylabel="training steps a second", title="one training step")
axis.set_xticks(WIDTHS, WIDTHS)
axis.legend()
figure.tight_layout()
figure.savefig("2-steps.png", dpi=90)

# %% [markdown] lang="en"
# ## When it pays
#
# The *crossing point* is the size from which one way is the faster. You can see one on any machine
# with two processors: waking a second thread costs some millionths of a second, so for small tables
# it is slower than one. (On a busy computer for large ones, too: all threads wait for the one that
# was interrupted. *Never here* says that no size was found from which it always won.) With a GPU it is the same in large. It has thousands of small processors, a
# peak tens of times higher, and memory some twenty times faster than a computer's. But each order to
# it takes about ten millionths of a second, and data must first travel to it over a cable-like road
# that is *slower* than the computer's memory. A product of *n* x *n* moves 12*n*² bytes for 2*n*³
# steps: the larger *n*, the less the travel matters. That is why one leaves model and data **on** the
# GPU and lets them work there for long.

# %% [markdown] lang="ko"
# ## 언제 값을 하나
#
# *교차점*은 어느 한쪽이 더 빨라지기 시작하는 크기입니다. 프로세서가 두 개인 머신이라면 어디서나 볼 수 있습니다. 두 번째 스레드를
# 깨우는 데 100만분의 몇 초가 들어서, 작은 표에서는 스레드 하나보다 느립니다. (바쁜 컴퓨터에서는 큰 표도 그렇습니다. 중단된 스레드 하나를 나머지가 모두 기다리기
# 때문입니다. *never here*는 늘 이기기 시작하는 크기를 찾지 못했다는 뜻입니다.) GPU도 규모만 클 뿐 마찬가지입니다. GPU에는 작은
# 프로세서가 수천 개 있고, 한계는 수십 배 높고, 메모리는 컴퓨터 메모리보다 스무 배쯤 빠릅니다. 하지만 명령 하나를 내릴 때마다
# 100만분의 10초쯤 걸리고, 데이터는 먼저 컴퓨터 메모리보다 *느린* 길을 지나 GPU로 가야 합니다. *n* x *n* 곱은 연산 2*n*³번에
# 12*n*²바이트를 옮깁니다. *n*이 클수록 옮기는 시간은 덜 중요해집니다. 그래서 모델과 데이터를 GPU **위에** 두고 오래 일하게 합니다.


# %%
def crossing(fast, slow):
    """The smallest size from which the one is always faster."""
    sizes = [n for n in fast if n in slow]
    ahead = [all(fast[m] > slow[m] for m in sizes if m >= n) for n in sizes]
    return next((n for n, pays in zip(sizes, ahead, strict=True) if pays), "never here")


pays = {"all threads pay from size": crossing(rates["all threads"], rates["one thread"])}
for name, found in (
    ("GPU pays from size", rates.get("GPU")),
    ("GPU pays from size, carried there and back", carried),
):
    pays[name] = crossing(found, rates["all threads"]) if found else NO_GPU
for name, size in pays.items():
    print(f"{name}: {size}")

# %% [markdown] lang="en"
# ## What it means for cost
#
# You pay for time. If the machine with a GPU costs ten times as much an hour, it must make your
# **whole** program more than ten times as fast, or the plain machine is the cheaper one (and you
# merely wait). The whole program, not the product: what stays on the processor (reading files,
# preparing data) does not get faster. If a share *p* of the time can go to the GPU and is *s* times
# as fast there, the whole is 1 / (1 - p + p / s) times as fast (Amdahl's law). This is arithmetic, not
# a measurement:

# %% [markdown] lang="ko"
# ## 비용으로 따지면
#
# 돈은 시간에 따라 냅니다. GPU가 있는 머신이 한 시간에 열 배 비싸다면 프로그램 **전체**가 열 배 넘게 빨라져야 합니다. 그렇지 않으면
# 보통 머신이 더 쌉니다(더 기다릴 뿐입니다). 곱이 아니라 프로그램 전체입니다. 파일을 읽고 데이터를 준비하는 것처럼 프로세서에
# 남는 일은 빨라지지 않습니다. 시간 가운데 *p*만큼을 GPU로 옮길 수 있고 거기서 *s*배 빠르다면 전체는 1 / (1 - p + p / s)배
# 빨라집니다(암달의 법칙). 아래는 잰 것이 아니라 계산한 것입니다.

# %%
print("times as fast on the whole, if the GPU's part is")
print("share", *(f"{s:7} x" for s in (10, 30, 100)))
for p in (0.5, 0.9, 0.99):
    print(f"{p:5.0%}", *(f"{1 / (1 - p + p / s):9.1f}" for s in (10, 30, 100)))

# %% [markdown] lang="en"
# So before you pay for a GPU: measure how much of your program is such products, and how large they
# are. The same disk moves to a machine with a GPU (`dsvm resize --gpu`); then run this
# page again, and the places that say *not tested* have numbers.
#
# At last the largest product once more, in five rounds, to see how far a number of this page can be
# trusted: on a busy computer it varies.

# %% [markdown] lang="ko"
# 그러니 GPU에 돈을 쓰기 전에 프로그램에서 이런 곱이 얼마나 되는지, 그 크기는 얼마인지 먼저 재 보세요. 같은 디스크를 GPU가 있는
# 머신으로 옮길 수 있습니다(`dsvm resize --gpu`). 옮긴 뒤 이 페이지를 다시 실행하면 *not tested*라고 나오던
# 자리에 숫자가 나옵니다.
#
# 마지막으로 가장 큰 곱을 다섯 번 더 재어 이 페이지의 숫자를 얼마나 믿을 수 있는지 봅니다. 바쁜 컴퓨터에서는 값이 흔들립니다.

# %%
largest = {
    way: max(n for n in found if WAYS[way][0] == "cuda" or n <= 1536)
    for way, found in rates.items()
}
rounds = {way: [] for way in WAYS}
for seed in range(ROUNDS):  # in turns, so that what disturbs one disturbs all
    for way, (device, threads) in WAYS.items():
        torch.set_num_threads(threads)
        took = seconds(device, torch.matmul, *tables(largest[way], device, seed))
        rounds[way].append(2 * largest[way] ** 3 / took / 1e9)
for way, found in rounds.items():
    print(f"{way:12} n = {largest[way]}: {np.mean(found):.0f} ± {np.std(found):.0f} GFLOP/s")
gain = np.array(rounds["all threads"]) / np.array(rounds["one thread"])
gpu = np.array(rounds.get("GPU", []))
more = gpu / np.array(rounds["all threads"]) if len(gpu) else gpu
print(
    json.dumps(
        {
            "device": "cuda" if "GPU" in WAYS else "cpu",
            "product differs from 64 bits by": max(wrong.values()),
            "training step differs from 64 bits by": max(step_wrong.values()),
            "large products by small ones": round(
                max(rates["one thread"].values()) / rates["one thread"][16], 2
            ),
            **{
                f"GFLOP/s, {way}": round(float(np.mean(rounds[way])), 1) if way in WAYS else NO_GPU
                for way in ("one thread", "all threads", "GPU")
            },
            **{f"GFLOP/s, {way}, spread": round(float(np.std(rounds[way])), 1) for way in WAYS},
            "all threads by one thread, at best": round(float(np.max(gain)), 3),
            "all threads by one thread, at best, spread": round(float(np.std(gain)), 3),
            "GPU by all threads": round(float(np.median(more)), 1) if len(gpu) else NO_GPU,
            "training steps a second, one thread": round(steps["one thread"][WIDTHS[-1]], 1),
            "training steps a second, all threads": round(steps["all threads"][WIDTHS[-1]], 1),
            "training steps a second, GPU": round(steps["GPU"][WIDTHS[-1]], 1)
            if len(gpu)
            else NO_GPU,
            **pays,
        }
    )
)
