# %% [markdown] lang="en"
# # Features by hand, features learned
#
# How does a machine tell a 3 from an 8? For decades a person first decided **what to look at**: how
# much ink there is in each corner, which way the strokes run. Such numbers are called *features*,
# and a simple model then weighs them. *Deep* learning leaves that step out: a network gets the bare
# pixels and finds its own features, layer above layer.
#
# Here both ways read the same 1,797 handwritten digits, which come with scikit-learn. Nothing is
# downloaded. All of it takes some ten seconds on two processors.

# %% [markdown] lang="ko"
# # 손으로 만든 특징, 스스로 배운 특징
#
# 기계는 3과 8을 어떻게 구별할까요? 오랫동안 **무엇을 볼지**는 사람이 먼저 정했습니다. 구석마다 잉크가 얼마나 있는지,
# 획이 어느 쪽으로 뻗는지 같은 것들입니다. 이런 숫자를 *특징(feature)* 이라 부르고, 단순한 모델이 그 무게를 정합니다.
# *딥*러닝은 이 단계를 없앱니다. 신경망은 픽셀만 받아서 층을 쌓아 가며 특징을 스스로 찾습니다.
#
# 여기서는 두 방법이 scikit-learn에 들어 있는 똑같은 손글씨 숫자 1,797개를 읽습니다. 내려받는 것은 없습니다.
# 프로세서 두 개로 10초쯤 걸립니다.

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEEDS = range(5)
EPOCHS = 60
digits = load_digits()
images, labels = digits.images / 16, digits.target

figure, axes = plt.subplots(2, 10, figsize=(10, 2.4))
for axis, image, label in zip(axes.flat, images, labels, strict=False):
    axis.imshow(image, cmap="gray_r")
    axis.set_title(label, fontsize=8)
    axis.axis("off")
figure.savefig("1-digits.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## By hand
#
# Before you look at the code: which numbers would *you* write down about such a picture? Ours are
# 34: the ink in each row and column, how alike the left and the right half are, and the top and the
# bottom, and in each quarter how much the brightness changes in each of four directions, which tells
# how its strokes run.

# %% [markdown] lang="ko"
# ## 손으로
#
# 코드를 보기 전에 생각해 보세요. *여러분*이라면 이런 그림에서 어떤 숫자를 적어 두겠습니까? 우리는 34개를 골랐습니다.
# 각 행과 열의 잉크 양, 왼쪽과 오른쪽, 위와 아래 절반이 얼마나 닮았는지, 그리고 네 구역마다 네 방향으로 밝기가
# 얼마나 변하는지입니다. 마지막 것은 획이 뻗는 방향을 알려 줍니다.


# %%
def by_hand(image: np.ndarray) -> np.ndarray:
    rows, columns = image.sum(axis=1), image.sum(axis=0)
    alike = [np.abs(image - image[:, ::-1]).mean(), np.abs(image - image[::-1]).mean()]
    down, right = np.gradient(image)
    strength, angle = np.hypot(down, right), np.arctan2(down, right) % np.pi
    way = np.minimum((angle / np.pi * 4).astype(int), 3)
    strokes = [
        strength[top : top + 4, left : left + 4][way[top : top + 4, left : left + 4] == one].sum()
        for top in (0, 4)
        for left in (0, 4)
        for one in range(4)
    ]
    return np.concatenate([rows, columns, alike, strokes])


features = np.array([by_hand(image) for image in images])
pixels = images.reshape(len(images), -1)
print(f"{features.shape[1]} features by hand, {pixels.shape[1]} pixels")

# %% [markdown] lang="en"
# ## Learned
#
# A network of one hidden layer, of two and of four. Each gets pixels only. They are compared over
# five different splits into what they learn from and what they have never seen (a third), because a
# single split may be luck.

# %% [markdown] lang="ko"
# ## 배우기
#
# 은닉층이 하나, 둘, 넷인 신경망에 픽셀만 줍니다. 한 번의 나눔은 운일 수 있으므로, 배우는 데 쓰는 것과 한 번도 보지 못한 것
# (3분의 1)으로 다섯 번 다르게 나누어 비교합니다.

# %%
LAYERS = {"1 layer": (64,), "2 layers": (64, 32), "4 layers": (64, 64, 32, 32)}
accuracy = {name: [] for name in ("by hand", *LAYERS)}
losses = {name: [] for name in LAYERS}
networks = {}
for seed in SEEDS:
    train, test = train_test_split(
        np.arange(len(labels)), test_size=1 / 3, random_state=seed, stratify=labels
    )
    simple = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    simple.fit(features[train], labels[train])
    accuracy["by hand"].append(simple.score(features[test], labels[test]))
    for name, layers in LAYERS.items():
        network = MLPClassifier(
            layers,
            alpha=0.03,  # weights that are not needed stay small
            max_iter=EPOCHS,
            n_iter_no_change=EPOCHS,
            batch_size=32,
            random_state=seed,
        )
        network.fit(pixels[train], labels[train])
        accuracy[name].append(network.score(pixels[test], labels[test]))
        losses[name].append(network.loss_curve_)
        networks[name] = network

for name, found in accuracy.items():
    print(f"{name:10} {np.mean(found):.3f} ± {np.std(found):.3f}")

# %% [markdown] lang="en"
# ## What happened
#
# The *loss* says how wrong the network is about what it learns from. It is averaged over each epoch
# (one look at all pictures), and it falls.

# %% [markdown] lang="ko"
# ## 무슨 일이 있었나
#
# *손실(loss)* 은 신경망이 배우는 그림에서 얼마나 틀리는지를 말합니다. 에포크(모든 그림을 한 번 보는 것)마다 평균을 내며,
# 점점 줄어듭니다.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
for name, curves in losses.items():
    left.plot(range(1, EPOCHS + 1), np.mean(curves, axis=0), label=name)
left.set(xlabel="epoch", ylabel="loss, mean of 5 seeds", yscale="log")
left.legend()
names = list(accuracy)
right.boxplot([accuracy[name] for name in names], tick_labels=names)
right.set(ylabel="accuracy on unseen digits")
figure.tight_layout()
figure.savefig("2-losses.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## What it looks at
#
# Each neuron of the first layer has one weight for each pixel: drawn as a picture, that is what it
# looks for. Blue wants ink, red wants none. Nobody told it to look for edges and strokes.

# %% [markdown] lang="ko"
# ## 무엇을 보는가
#
# 첫 층의 뉴런은 픽셀마다 무게를 하나씩 가집니다. 그림으로 그리면 그 뉴런이 찾는 모양입니다. 파란색은 잉크가 있기를,
# 빨간색은 없기를 바라는 곳입니다. 선과 획을 찾으라고 말해 준 사람은 없습니다.

# %%
filters = networks["1 layer"].coefs_[0].T
strongest = np.argsort(-np.linalg.norm(filters, axis=1))[:32]
figure, axes = plt.subplots(4, 8, figsize=(8, 4))
for axis, number in zip(axes.flat, strongest, strict=True):
    most = np.abs(filters[number]).max()
    axis.imshow(filters[number].reshape(8, 8), cmap="RdBu", vmin=-most, vmax=most)
    axis.axis("off")
figure.suptitle("what 32 neurons of the first layer look for")
figure.savefig("3-filters.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## Who wins
#
# The learned features win, by about one picture in a hundred, and nobody had to think of them. That
# is a third of the mistakes. More layers hardly help on pictures this small: depth pays when there
# is more to see. Change `by_hand` and try to beat the network; then you know what it was worth.

# %% [markdown] lang="ko"
# ## 누가 이기나
#
# 배운 특징이 백 장에 한 장쯤 더 맞힙니다. 틀리던 것의 3분의 1입니다. 그리고 아무도 그것을 고안할 필요가 없었습니다.
# 이렇게 작은 그림에서는 층을 늘려도 거의 도움이 되지 않습니다. 깊이는 볼 것이 많을 때 값을 합니다.
# `by_hand`를 바꾸어 신경망을 이겨 보세요. 그러면 그 값어치를 알게 됩니다.

# %%
means = {name: float(np.mean(found)) for name, found in accuracy.items()}
best = max(LAYERS, key=lambda name: means[name])
wins = np.array(accuracy[best]) - np.array(accuracy["by hand"])
print(f"{best} wins by {wins.mean():.3f} ± {wins.std():.3f}")
print(
    json.dumps(
        {
            **{f"accuracy, {name}": round(mean, 4) for name, mean in means.items()},
            **{
                f"accuracy, {name}, spread": round(float(np.std(found)), 4)
                for name, found in accuracy.items()
            },
            "learned wins by": round(float(wins.mean()), 4),
            "learned wins by, spread": round(float(wins.std()), 4),
            "loss falls to": round(float(np.mean([one[-1] for one in losses[best]])), 4),
            "loss falls to, spread": round(float(np.std([one[-1] for one in losses[best]])), 4),
        }
    )
)
