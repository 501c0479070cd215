# %% [markdown] lang="en"
# # Inputs to outputs: a series to its next price
#
# Given the prices of the last days, what is tomorrow's? Half of the world would like to know. Here
# is how such a thing is tried **honestly**: on days that the model has never seen, against simple
# answers that cost nothing, and on a market that we make ourselves, so that we know what there was
# to find.
#
# Real markets hardly have rules like ours. Whoever finds one trades on it until it is gone. So this
# teaches a method and no way to become rich. Nothing is downloaded; it takes some fifteen seconds
# on two processors, and a GPU is used if there is one.

# %% [markdown] lang="ko"
# # 입력에서 출력으로: 시계열에서 다음 가격으로
#
# 지난 며칠의 가격을 알 때 내일 가격은 얼마일까요? 세상의 절반이 궁금해합니다. 여기서는 이런 일을 **정직하게** 시험하는
# 방법을 보여 줍니다. 모델이 한 번도 본 적 없는 날들로, 공짜로 얻을 수 있는 단순한 답과 비교하며, 찾을 것이 무엇인지 우리가
# 아는 시장, 곧 직접 만든 시장에서 시험합니다.
#
# 진짜 시장에는 이런 규칙이 거의 없습니다. 누군가 규칙을 찾으면 사라질 때까지 그것으로 거래하기 때문입니다. 그러니 여기서
# 배우는 것은 방법이지 부자가 되는 길이 아닙니다. 내려받는 것은 없고, 프로세서 두 개로 15초쯤 걸리며, GPU가 있으면
# 씁니다.

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import torch

SEEDS, DAYS, WINDOW, CALM = range(5), 24_000, 10, 0.0125
LEARN, CHOOSE = 16_000, 20_000  # days to learn from, then to choose by, then for the test
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.set_num_threads(1)  # for a network this small a second thread costs more than it brings

# %% [markdown] lang="en"
# ## A market with a rule
#
# A *return* is by how much a price changed in a day: 0.01 is one percent. In our market
#
# - on days after a **calm** time the price goes on: it follows half of yesterday's return;
# - on days after a **wild** time it turns back by as much;
# - to that comes chance, larger than the rule.
#
# Wild is a time in which the returns of the last three days were above 1.25 percent on average. Calm
# and wild times come about by themselves, as they do in real markets.

# %% [markdown] lang="ko"
# ## 규칙이 있는 시장
#
# *수익률(return)* 은 하루 동안 가격이 변한 정도입니다. 0.01이면 1퍼센트입니다. 우리 시장에서는
#
# - **잔잔한** 때가 지나면 가격이 가던 길을 갑니다. 어제 수익률의 절반을 따라갑니다.
# - **거친** 때가 지나면 꼭 그만큼 되돌아옵니다.
# - 여기에 우연이 더해지는데, 규칙보다 더 큽니다.
#
# 거친 때란 지난 사흘의 수익률 크기가 평균 1.25퍼센트를 넘은 때입니다. 잔잔한 때와 거친 때는 진짜 시장에서처럼 저절로 생깁니다.


# %%
def market(seed, rule=0.5):
    """Returns of each day, and the part of each that could be known the day before."""
    random = np.random.default_rng(seed)
    chance = random.standard_normal(DAYS)
    returns, known = np.zeros(DAYS), np.zeros(DAYS)
    for day in range(3, DAYS):
        lately = np.abs(returns[day - 3 : day]).mean()
        known[day] = (rule if lately < CALM else -rule) * returns[day - 1]
        returns[day] = known[day] + (0.008 + 0.3 * lately) * chance[day]
    return returns, known


returns, known = market(0)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 5), sharex=True)
top.plot(100 * np.exp(np.cumsum(returns[:500])), linewidth=0.9)
top.set(ylabel="price", title="the first two years of a market that we made")
bottom.bar(range(500), returns[:500] * 100, width=1, color="silver", label="return")
bottom.plot(known[:500] * 100, color="C3", linewidth=0.7, label="what could be known of it")
bottom.set(xlabel="day", ylabel="percent")
bottom.legend(loc="upper right")
figure.tight_layout()
figure.savefig("1-market.png", dpi=90)
print(f"wild days: {np.mean(known * np.roll(returns, 1) < 0):.0%}")

# %% [markdown] lang="en"
# ## A picture that deceives
#
# The simplest forecast of tomorrow's price is today's. Drawn over the true prices it looks splendid,
# and its correlation with them is nearly 1. Yet it says nothing at all: whoever follows it earns
# nothing. Remember this when somebody shows you such a picture. What counts is how much of the
# **return** a forecast explains: 0 is as good as the last value, 1 would be all of it.

# %% [markdown] lang="ko"
# ## 속이는 그림
#
# 내일 가격을 예측하는 가장 단순한 방법은 오늘 가격이라고 하는 것입니다. 진짜 가격 위에 겹쳐 그리면 아주 그럴듯하고
# 상관계수는 거의 1입니다. 그런데도 아무것도 말해 주지 않습니다. 그대로 따라 해도 한 푼도 벌지 못합니다. 누가 이런 그림을
# 보여 주면 떠올려 보세요. 중요한 것은 예측이 **수익률**을 얼마나 설명하느냐입니다. 0이면 마지막 값만큼, 1이면 전부입니다.


# %%
def explains(forecast, truth):
    """How much less the squared error is than that of the last value, which forecasts 0."""
    return float(1 - np.sum((truth - forecast) ** 2) / np.sum(truth**2))


prices = 100 * np.exp(np.cumsum(returns))
shown = slice(CHOOSE, CHOOSE + 80)
figure, axis = plt.subplots(figsize=(10, 3))
axis.plot(prices[shown], label="price")
axis.plot(prices[CHOOSE - 1 : CHOOSE + 79], "--", label="forecast: the last value")
axis.set(xlabel="day", ylabel="price")
axis.legend()
figure.savefig("2-deceives.png", dpi=90, bbox_inches="tight")
alike = np.corrcoef(prices[CHOOSE:], prices[CHOOSE - 1 : -1])[0, 1]
print(f"correlation {alike:.4f}, and it explains {explains(0, returns[CHOOSE:]):.0%} of the return")

# %% [markdown] lang="en"
# ## Two that forecast
#
# Both get the returns of the last ten days.
#
# - A **linear model** weighs each day and adds up. Economists call it autoregression, and it is the
#   baseline to beat. It cannot say "if the days were calm, then this, else the opposite".
# - A **network** of two hidden layers can. It learns from 16,000 days; after each look at them we
#   ask how it does on 4,000 later days and keep the best; and only then come the 4,000 last days,
#   the test. Days are never shuffled between the three: the future must not help to forecast the past.

# %% [markdown] lang="ko"
# ## 두 예측 모델
#
# 둘 다 지난 열흘의 수익률을 받습니다.
#
# - **선형 모델**은 날마다 무게를 주어 더합니다. 경제학자들은 자기회귀라 부르며, 이것이 넘어야 할 기준입니다. "며칠이
#   잔잔했다면 이렇게, 아니면 반대로"라는 말은 할 수 없습니다.
# - 은닉층이 두 개인 **신경망**은 할 수 있습니다. 16,000일로 배우고, 한 번 다 볼 때마다 그다음 4,000일에서 얼마나 잘하는지
#   물어 가장 나은 것을 남깁니다. 마지막 4,000일은 그 뒤에야 시험으로 씁니다. 세 부분 사이에서는 날을 섞지 않습니다. 미래가
#   과거의 예측을 도와서는 안 되기 때문입니다.


# %%
def windows(returns):
    """Of each day from WINDOW on: the returns of the WINDOW days before it."""
    return np.lib.stride_tricks.sliding_window_view(returns, WINDOW)[:-1]


def linear(days, truth):
    weights = np.linalg.lstsq(days[:LEARN], truth[:LEARN], rcond=None)[0]
    return days @ weights


def network(days, truth, seed):
    torch.manual_seed(seed)
    scale = truth[:LEARN].std()  # of the days to learn from only
    x = torch.tensor(days / scale, dtype=torch.float32, device=device)
    y = torch.tensor(truth / scale, dtype=torch.float32, device=device)
    model = torch.nn.Sequential(
        torch.nn.Linear(WINDOW, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 1),
        torch.nn.Flatten(0),
    ).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
    best, forecast, losses = torch.inf, None, []
    for _ in range(16):
        total = 0.0
        for batch in torch.randperm(LEARN, device=device).split(512):
            loss = torch.nn.functional.mse_loss(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
        with torch.no_grad():
            now = model(x)
            chosen = torch.nn.functional.mse_loss(now[LEARN:CHOOSE], y[LEARN:CHOOSE])
        losses.append((float(total) / LEARN, float(chosen)))
        if chosen < best:
            best, forecast = chosen, now
    return forecast.cpu().numpy() * scale, losses


found = {name: [] for name in ("linear", "network", "best possible", "network, no rule")}
for seed in SEEDS:
    returns, known = market(seed)
    days, truth, knowable = windows(returns), returns[WINDOW:], known[WINDOW:]
    forecast, losses = network(days, truth, seed)
    found["linear"].append(explains(linear(days, truth)[CHOOSE:], truth[CHOOSE:]))
    found["network"].append(explains(forecast[CHOOSE:], truth[CHOOSE:]))
    found["best possible"].append(explains(knowable[CHOOSE:], truth[CHOOSE:]))
    fair, _ = market(seed, rule=0)
    nothing, _ = network(windows(fair), fair[WINDOW:], seed)
    found["network, no rule"].append(explains(nothing[CHOOSE:], fair[WINDOW:][CHOOSE:]))
for name, values in found.items():
    print(f"{name:18} explains {np.mean(values):7.1%} ± {np.std(values):.1%}")

# %% [markdown] lang="en"
# ## What it found
#
# Left: the linear model finds little, for calm and wild days nearly cancel out. The network finds
# two thirds of what there is to find. In a market *without* a rule it finds nothing: an honest test says
# so. Right: what it forecasts after each day, and the rule that we put in. Nobody told it about calm
# and wild.

# %% [markdown] lang="ko"
# ## 무엇을 찾았나
#
# 왼쪽: 선형 모델은 조금밖에 찾지 못합니다. 잔잔한 날과 거친 날이 서로를 거의 지우기 때문입니다. 신경망은 찾을 수 있는
# 것의 3분의 2를 찾습니다. 규칙이 *없는* 시장에서는 아무것도 찾지 못하며, 정직한 시험은 그렇다고 말해 줍니다. 오른쪽: 날마다 내놓은
# 예측과 우리가 넣은 규칙입니다. 잔잔함과 거칢을 알려 준 사람은 없습니다.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=[1, 1.2])
names = list(found)
left.bar(
    names,
    [100 * np.mean(found[name]) for name in names],
    yerr=[100 * np.std(found[name]) for name in names],
    color=["grey", "C0", "C2", "C1"],
    capsize=4,
)
left.axhline(0, color="black", linewidth=0.8)
left.set_xticks(range(4), ["linear", "network", "best\npossible", "network,\nno rule"])
left.set(ylabel="percent of the return explained, unseen days")
test = slice(CHOOSE, None)
calm = np.abs(days[test, -3:]).mean(axis=1) < CALM
for mask, name, sign, color in ((calm, "calm", 1, "C0"), (~calm, "wild", -1, "C3")):
    yesterday = days[test, -1][mask] * 100
    right.plot(yesterday, forecast[test][mask] * 100, ".", markersize=3, color=color, label=name)
    ends = np.array([yesterday.min(), yesterday.max()])
    right.plot(ends, sign * 0.5 * ends, color="black", linewidth=1)
right.plot([], [], color="black", linewidth=1, label="the rule")
right.set(xlabel="yesterday's return, percent", ylabel="forecast, percent")
right.legend()
figure.tight_layout()
figure.savefig("3-found.png", dpi=90)

# %% [markdown] lang="en"
# ## How it learned
#
# The loss on the days it learns from falls on; on later days it soon does not. From there on the
# network learns *by heart* what was chance. That is why we chose by days it did not learn from, and
# tested on others again: choosing is a kind of learning, too.
#
# **Try it:** make the rule weaker (`rule=0.2`) or the market younger (`DAYS`, `LEARN`, `CHOOSE`).
# Where does the network begin to lose against the linear model?

# %% [markdown] lang="ko"
# ## 어떻게 배웠나
#
# 배우는 날들의 손실은 계속 줄지만, 나중 날들에서는 곧 줄지 않습니다. 그때부터 신경망은 우연이었던 것을 *외우기*
# 시작합니다. 그래서 배우지 않은 날들로 고르고, 또 다른 날들로 시험했습니다. 고르는 것도 일종의 배움이기 때문입니다.
#
# **해 보기:** 규칙을 약하게(`rule=0.2`) 하거나 시장의 역사를 짧게(`DAYS`, `LEARN`, `CHOOSE`) 해 보세요. 신경망은 어디서부터
# 선형 모델에 지기 시작할까요?

# %%
figure, axis = plt.subplots(figsize=(7, 3))
axis.plot(np.array(losses), label=["days it learns from", "days to choose by"])
axis.set(xlabel="epoch", ylabel="loss")
axis.legend()
figure.savefig("4-loss.png", dpi=90, bbox_inches="tight")
wins = np.array(found["network"]) - np.array(found["linear"])
told = {
    "linear model explains": found["linear"],
    "network explains": found["network"],
    "best possible": found["best possible"],
    "network explains, no rule": found["network, no rule"],
}
print(
    json.dumps(
        {
            "device": device,
            "last value explains": 0.0,
            **{name: round(float(np.mean(values)), 4) for name, values in told.items()},
            **{f"{name}, spread": round(float(np.std(values)), 4) for name, values in told.items()},
            "network wins by at least": round(float(wins.min()), 4),
        }
    )
)
