# %% [markdown] lang="en"
# # The same network in three frameworks
#
# PyTorch, TensorFlow with Keras, and JAX are three languages for one thing. A network is numbers
# (its *weights*) and a recipe of what to do with them, and neither belongs to a framework. To see
# it, we make one network three times: with the **same weights**, shown the **same pictures in the
# same order**, taught by the **same rule**. Then all three must say the same, and learn the same.
#
# At the end each of them leaves its framework: it is saved as a file of *ONNX*, and another program
# runs it in a place where none of the three is installed. That is how you try somebody's model
# without installing what it was made with. Nothing is downloaded; it takes less than a minute on
# two processors.

# %% [markdown] lang="ko"
# # 세 가지 프레임워크, 하나의 신경망
#
# PyTorch, 케라스(Keras)를 쓰는 TensorFlow, 그리고 JAX는 같은 것을 말하는 세 가지 언어입니다. 신경망은 숫자들(*가중치*)과
# 그 숫자로 무엇을 할지 적은 조리법이며, 어느 것도 특정 프레임워크에 속하지 않습니다. 이를 확인하려고 신경망 하나를 세 번
# 만듭니다. **같은 가중치**로 시작해 **같은 그림을 같은 순서로** 보여 주고 **같은 규칙**으로 가르칩니다. 그러면 셋은 똑같이
# 대답하고 똑같이 배워야 합니다.
#
# 끝에서는 셋 모두 프레임워크를 떠납니다. *ONNX* 파일로 저장하고, 셋 중 어느 것도 설치되지 않은 곳에서 다른 프로그램이
# 실행합니다. 남이 만든 모델을, 그것을 만든 도구를 설치하지 않고 써 보는 방법입니다. 내려받는 것은 없고, 프로세서 두 개로
# 1분이 채 걸리지 않습니다.

# %%
import itertools
import json
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
SEEDS, STEPS, BATCH, RATE, MOMENTUM = range(3), 400, 64, 0.05, 0.9
FRAMEWORKS = ("pytorch", "tensorflow", "jax")
digits = load_digits()
images, labels = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
SEEN = 1400  # the rest is for the test

# %% [markdown] lang="en"
# ## Weights that belong to nobody
#
# numpy draws them, once for each of three *seeds* (a seed decides which random numbers come, so
# that they come again next time). The network has 64 inputs (the pixels of a digit), two hidden
# layers of 64 and 32, and 10 outputs, one score for each digit. The order in which the pictures
# are shown is drawn here, too. All of it goes into one file.

# %% [markdown] lang="ko"
# ## 누구의 것도 아닌 가중치
#
# numpy가 세 가지 *시드(seed)* 마다 한 번씩 뽑습니다. 시드는 어떤 난수가 나올지 정하는 값이어서, 다음에도 같은 난수가 나옵니다.
# 신경망의 입력은 64개(숫자 그림의 픽셀), 은닉층은 64개와 32개짜리 두 층, 출력은 10개로 숫자마다 점수 하나입니다. 그림을
# 보여 주는 순서도 여기서 뽑아 모두 한 파일에 담습니다.

# %%
SIZES = (64, 64, 32, 10)
given = {"seeds": list(SEEDS), "rate": RATE, "images": images, "labels": labels}
for seed in SEEDS:
    random = np.random.default_rng(seed)
    for number, (inputs, outputs) in enumerate(itertools.pairwise(SIZES), start=1):
        weights = random.normal(0, np.sqrt(2 / inputs), (inputs, outputs))
        given[f"{seed} weights {number}"] = weights.astype(np.float32)
        given[f"{seed} bias {number}"] = np.zeros(outputs, np.float32)
    given[f"{seed} order"] = random.integers(0, SEEN, (STEPS, BATCH))
np.savez("given.npz", **given)
print(f"{sum(a * b + b for a, b in itertools.pairwise(SIZES)):,} numbers make the network")

# %% [markdown] lang="en"
# ## By hand first
#
# How do we know what "the same" is? By doing it once without any framework, with twice as many
# decimal places (`float64`). This is all that happens in a step of training:
#
# 1. **Forward.** Multiply by the weights, add the bias, bend the sums by `tanh`; again; the last
#    layer gives scores. The *loss* is large when the right digit has a low score.
# 2. **Backward.** How does the loss change with each weight? This is the *gradient*; the chain rule
#    of school carries it from the last layer to the first.
# 3. **Step.** Keep nine tenths of the last step (*momentum*), add the new gradient, go against it.
#
# The third is the one to look at: frameworks give the same name to things that differ a little.
# Adam, for instance, adds its small `epsilon` at another place in Keras than in PyTorch. Momentum
# means the same in all three (`v = 0.9 v + gradient`, `weight = weight - rate * v`) as long as the
# rate does not change on the way. So we take that. And why `tanh`, and not the usual *ReLU*, which
# cuts off what is negative? ReLU has a corner at zero. A sum that is zero but for its last digit
# falls on one side of it here and on the other there, and from then on the two go apart (we tried:
# by a thousand times as much). `tanh` is smooth.

# %% [markdown] lang="ko"
# ## 먼저 손으로
#
# 무엇이 "같은 것"인지 어떻게 알까요? 프레임워크 없이, 소수 자릿수를 두 배로 늘려(`float64`) 한 번 직접 해 보면 됩니다. 학습의
# 한 걸음에서 일어나는 일은 이것이 전부입니다.
#
# 1. **앞으로.** 가중치를 곱하고 편향을 더한 합을 `tanh`로 구부립니다. 한 번 더 하고, 마지막 층이 점수를 냅니다. 정답
#    숫자의 점수가 낮으면 *손실(loss)* 이 큽니다.
# 2. **뒤로.** 가중치를 조금 바꾸면 손실이 얼마나 변할까요? 그것이 *기울기(gradient)* 이고, 학교에서 배운 연쇄 법칙이 이를
#    마지막 층에서 첫 층까지 전해 줍니다.
# 3. **한 걸음.** 지난 걸음의 10분의 9를 남기고(*모멘텀*) 새 기울기를 더한 다음, 그 반대쪽으로 갑니다.
#
# 눈여겨볼 것은 세 번째입니다. 프레임워크들은 조금씩 다른 것에 같은 이름을 붙이기도 합니다. 예를 들어 Adam은 작은 수
# `epsilon`을 더하는 자리가 Keras와 PyTorch에서 다릅니다. 모멘텀은 학습률이 도중에 바뀌지 않는 한 셋 모두에서 뜻이
# 같습니다(`v = 0.9 v + 기울기`, `가중치 = 가중치 - 학습률 * v`). 그래서 모멘텀을 씁니다. 그런데 왜 음수를 잘라 내는 흔한
# *ReLU*가 아니라 `tanh`일까요? ReLU는 0에서 꺾입니다. 마지막 자리만 빼고 0인 합은 여기서는 이쪽, 저기서는 저쪽에 놓이고,
# 그때부터 둘은 멀어집니다(해 보니 천 배쯤 더 벌어졌습니다). `tanh`는 매끄럽습니다.


# %%
def forward(layers, pixels):
    """What goes into each layer, and the scores."""
    entering = [pixels]
    for weights, bias in layers[:-1]:
        entering.append(np.tanh(entering[-1] @ weights + bias))
    return entering, entering[-1] @ layers[-1][0] + layers[-1][1]


def loss_and_gradient(layers, pixels, truth):
    entering, scores = forward(layers, pixels)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    rows = np.arange(len(truth))
    loss = -np.log(chances[rows, truth]).mean()
    chances[rows, truth] -= 1
    back, gradient = chances / len(truth), []
    for (weights, _), before in zip(layers[::-1], entering[::-1], strict=True):
        gradient.insert(0, (before.T @ back, back.sum(axis=0)))
        back = (back @ weights.T) * (1 - before**2)
    return loss, gradient


def by_hand(seed, rate=RATE):
    layers = [
        [given[f"{seed} {part} {number}"].astype(np.float64) for part in ("weights", "bias")]
        for number in (1, 2, 3)
    ]
    speed = [[np.zeros_like(part) for part in layer] for layer in layers]
    exact, losses = images.astype(np.float64), []
    before = forward(layers, exact)[1]
    for batch in given[f"{seed} order"]:
        loss, gradient = loss_and_gradient(layers, exact[batch], labels[batch])
        losses.append(loss)
        for layer, memory, slope in zip(layers, speed, gradient, strict=True):
            for part in (0, 1):
                memory[part] = MOMENTUM * memory[part] + slope[part]
                layer[part] = layer[part] - rate * memory[part]
    return {"before": before, "losses": np.array(losses), "after": forward(layers, exact)[1]}


hand = {seed: by_hand(seed) for seed in SEEDS}
print("loss at the first and the last step:", hand[0]["losses"][[0, -1]].round(3))

# %% [markdown] lang="en"
# ## In PyTorch
#
# Each framework has an environment of its own on this machine, with its own Python and its own
# versions of everything: together in one they would quarrel. This notebook runs on `base`, which
# has none of them, and calls each one's Python as you would in a terminal. Here is what it runs;
# read it, it is short.

# %% [markdown] lang="ko"
# ## PyTorch로
#
# 이 머신에서는 프레임워크마다 환경이 따로 있어, 파이썬도 패키지 버전도 각자의 것입니다. 한곳에 두면 서로 다투기
# 때문입니다. 이 노트북은 아무 프레임워크도 없는 `base`에서 돌면서, 터미널에서 하듯 각 환경의 파이썬을 부릅니다. 실행하는
# 코드는 다음과 같습니다. 짧으니 읽어 보세요.


# %%
def run_in(environment, script):
    python = f"/opt/dsvm/envs/{environment}/bin/python"
    done = subprocess.run([python, str(HERE / script)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{script}: {done.stderr[-2000:]}")
    print(done.stdout.strip())


def show(script):
    print((HERE / script).read_text())


show("in_pytorch.py")

# %%
run_in("pytorch", "in_pytorch.py")

# %% [markdown] lang="en"
# ## In TensorFlow, with Keras
#
# The same, in other words. Look for three differences: Keras keeps a layer's weights as
# (inputs, outputs), PyTorch the other way round; a `GradientTape` notes what happens, so that it can
# be gone through backwards; `tf.function` compiles the step.

# %% [markdown] lang="ko"
# ## TensorFlow와 Keras로
#
# 같은 일을 다른 말로 합니다. 세 가지 차이를 찾아보세요. Keras는 층의 가중치를 (입력, 출력) 순서로, PyTorch는 그 반대로
# 둡니다. `GradientTape`는 일어난 일을 적어 두었다가 거꾸로 되짚습니다. `tf.function`은 한 걸음을 컴파일합니다.

# %%
show("in_tensorflow.py")

# %%
run_in("tensorflow", "in_tensorflow.py")

# %% [markdown] lang="en"
# ## In JAX
#
# Here the network is a plain function of its weights; `jax.value_and_grad` makes another function
# of it, which also tells the gradient, and `jax.jit` compiles that. PyTorch and Keras bring their
# own way to ONNX. For JAX we write one, which shows that there is no magic in it: JAX notes a
# function down as a list of small operations, and for each of them ONNX has a word.

# %% [markdown] lang="ko"
# ## JAX로
#
# 여기서 신경망은 가중치를 받는 평범한 함수입니다. `jax.value_and_grad`는 그 함수로 기울기까지 알려 주는 함수를 만들고,
# `jax.jit`이 컴파일합니다. PyTorch와 Keras에는 ONNX로 가는 길이 이미 있습니다. JAX용은 직접 만들어 보는데, 마법은 없다는 것을
# 알 수 있습니다. JAX는 함수를 작은 연산의 목록으로 적어 두고, 연산마다 ONNX에 해당하는 낱말이 있습니다.

# %%
show("in_jax.py")

# %%
run_in("jax", "in_jax.py")

# %% [markdown] lang="en"
# ## Do they agree?
#
# Computers keep about seven digits of a number (`float32`) and each framework adds up in another
# order, so the last digit may differ, and each step carries it on. More than that must not be. To
# see that we would notice, we also learn by hand once more with a rate that is one percent larger.

# %% [markdown] lang="ko"
# ## 서로 같은가?
#
# 컴퓨터는 숫자를 일곱 자리쯤만 기억하고(`float32`) 프레임워크마다 더하는 순서가 다르므로 마지막 자리는 다를 수 있고,
# 걸음마다 그 차이가 이어집니다. 그보다 크게 다르면 안 됩니다. 다르면 정말 알아챌 수 있는지 보려고, 학습률을 1퍼센트만 키워
# 손으로 한 번 더 배워 봅니다.

# %%
made = {name: np.load(f"{name}.npz") for name in FRAMEWORKS}


def apart(what, seed):
    """The largest difference between any two, the one by hand among them."""
    all_of_them = [hand[seed][what], *(made[name][f"{seed} {what}"] for name in FRAMEWORKS)]
    return float(np.ptp(all_of_them, axis=0).max())


differ = {what: [apart(what, seed) for seed in SEEDS] for what in ("before", "losses", "after")}
control = [
    float(np.abs(by_hand(seed, RATE * 1.01)["losses"] - hand[seed]["losses"]).max())
    for seed in SEEDS
]
for what, values in {**differ, "control: rate + 1 %": control}.items():
    print(f"{what:20}", "  ".join(f"{value:.1e}" for value in values))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
left.plot(hand[0]["losses"], color="black", linewidth=3, alpha=0.3, label="by hand")
STYLES = {"pytorch": ("C1", "-"), "tensorflow": ("C0", "--"), "jax": ("C2", ":")}
for name, (color, style) in STYLES.items():
    losses = made[name]["0 losses"]
    left.plot(losses, color=color, linestyle=style, linewidth=1.2, label=name)
    far = np.abs(losses - hand[0]["losses"])
    right.plot(np.maximum(far, 1e-9), color=color, linewidth=0.8, label=name)
far = np.abs(by_hand(0, RATE * 1.01)["losses"] - hand[0]["losses"])
right.plot(np.maximum(far, 1e-9), color="grey", linewidth=0.8, label="rate + 1 %")
left.set(xlabel="step", ylabel="loss", title="four curves, one line")
right.set(xlabel="step", ylabel="difference from by hand", yscale="log", title="how far apart")
left.legend()
right.legend(fontsize=8, ncol=2)
figure.tight_layout()
figure.savefig("1-curves.png", dpi=90)

# %% [markdown] lang="en"
# ## Without any framework
#
# Now `vision`, an environment with ONNX Runtime and none of the three (the script makes sure of
# that first). It gets the nine files, three seeds from each framework, and the pictures.

# %% [markdown] lang="ko"
# ## 프레임워크 없이
#
# 이제 `vision`입니다. ONNX Runtime만 있고 셋 중 아무것도 없는 환경입니다(스크립트가 먼저 확인합니다). 프레임워크마다 시드
# 세 개씩, 파일 아홉 개와 그림을 받습니다.

# %%
show("in_onnxruntime.py")

# %%
run_in("vision", "in_onnxruntime.py")
alone = np.load("onnxruntime.npz")
onnx_apart, same = {name: [] for name in FRAMEWORKS}, []
for name in FRAMEWORKS:
    for seed in SEEDS:
        scores, own = alone[f"{name}-{seed}"], made[name][f"{seed} after"]
        onnx_apart[name].append(float(np.abs(scores - own).max()))
        same.append(float((scores.argmax(1) == own.argmax(1)).mean()))
accuracy = [
    float((alone[f"{name}-{seed}"][SEEN:].argmax(1) == labels[SEEN:]).mean())
    for name in FRAMEWORKS
    for seed in SEEDS
]
for name, values in onnx_apart.items():
    size = Path(f"{name}-0.onnx").stat().st_size / 1024
    print(f"{name:12} {size:3.0f} KiB  differs by", "  ".join(f"{one:.1e}" for one in values))
print(f"accuracy on unseen digits {np.mean(accuracy):.3f} ± {np.std(accuracy):.3f}")

figure, axes = plt.subplots(4, 8, figsize=(10, 5.4), height_ratios=[1.3, 1, 1, 1])
picked = np.random.default_rng(4).choice(np.arange(SEEN, len(labels)), 8, replace=False)
for column, picture in enumerate(picked):
    axes[0, column].imshow(digits.images[picture], cmap="gray_r")
    axes[0, column].axis("off")
    for axis, (name, (color, _)) in zip(axes[1:, column], STYLES.items(), strict=True):
        scores = alone[f"{name}-0"][picture].astype(np.float64)
        axis.bar(range(10), np.exp(scores) / np.exp(scores).sum(), color=color)
        axis.set(ylim=(0, 1), xticks=range(10), yticks=[])
        axis.tick_params(labelsize=6)
for axis, name in zip(axes[1:, 0], FRAMEWORKS, strict=True):
    axis.set_ylabel(f"{name}.onnx", fontsize=8)
figure.suptitle("three files, one program: how sure each one is of which digit", y=0.96)
figure.savefig("2-onnx.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## What to take from it
#
# A framework is a matter of taste, of the people around you and of what others have published; the
# network is the same. Where two of them differ by more than the last digits, it is the settings:
# another default, another meaning of a name, another order of the axes. And a file of ONNX of some
# 30 KiB does on its own what a framework of hundreds of megabytes made.
#
# **Try it:** replace `momentum=0.9` by `nesterov=True, momentum=0.9` in one of the scripts (your own
# copy lies beside this notebook), and see where the curves part.

# %% [markdown] lang="ko"
# ## 무엇을 배웠나
#
# 어떤 프레임워크를 쓸지는 취향과 주변 사람들, 그리고 남들이 공개해 둔 것에 달렸습니다. 신경망은 같습니다. 둘이 마지막
# 자리보다 크게 다르면 그것은 설정 때문입니다. 기본값이 다르거나, 같은 이름이 다른 뜻이거나, 축의 순서가 다른 것입니다.
# 그리고 수백 메가바이트짜리 프레임워크가 만든 것을 30 KiB쯤 되는 ONNX 파일이 혼자서 해냅니다.
#
# **해 보기:** 스크립트 하나에서 `momentum=0.9`를 `nesterov=True, momentum=0.9`로 바꾸고(여러분의 사본이 이 노트북 옆에
# 있습니다) 곡선이 어디서 갈라지는지 보세요.

# %%
told = {
    "outputs differ by at most": differ["before"],
    "losses differ by at most": differ["losses"],
    "outputs after training differ by at most": differ["after"],
    **{f"ONNX from {name} differs by at most": onnx_apart[name] for name in FRAMEWORKS},
}
print(
    json.dumps(
        {
            **{name: max(values) for name, values in told.items()},
            **{f"{name}, spread": float(np.std(values)) for name, values in told.items()},
            "a rate 1 % larger differs by at least": min(control),
            "answers that stay the same in ONNX Runtime": min(same),
            "accuracy without a framework": round(float(np.mean(accuracy)), 4),
            "accuracy without a framework, spread": round(float(np.std(accuracy)), 4),
        }
    )
)
