# %% [markdown] lang="en"
# # Inputs to outputs: sound to its transcript
#
# Somebody says *three one four*; the machine shall write `314`. What makes it hard: nobody says
# where one word ends and the next begins, each voice is another, and each speaks at its own pace.
#
# This machine has a program that speaks (`espeak-ng`), so we need no recordings: it says random
# digits in many voices. The network learns from some of the **voices** and is tested on **others**
# that it has never heard. Nothing is downloaded; it takes about a minute on two processors, and a
# GPU is used if there is one.

# %% [markdown] lang="ko"
# # 입력에서 출력으로: 소리에서 받아쓰기로
#
# 누군가 *three one four*라고 말하면 기계는 `314`라고 적어야 합니다. 어려운 까닭은 이렇습니다. 한 낱말이 어디서 끝나고 다음
# 낱말이 어디서 시작하는지 아무도 알려 주지 않고, 목소리는 저마다 다르며, 말하는 속도도 제각각입니다.
#
# 이 머신에는 말하는 프로그램(`espeak-ng`)이 있어 녹음이 필요 없습니다. 프로그램이 아무 숫자나 여러 목소리로 읽습니다. 신경망은
# 그중 몇몇 **목소리**로 배우고, 한 번도 들어 보지 못한 **다른 목소리**로 시험을 봅니다. 내려받는 것은 없고, 프로세서 두 개로
# 1분쯤 걸리며, GPU가 있으면 씁니다.

# %%
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Audio, display
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.utils.rnn import pad_sequence

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
HEARD = [
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "f1",
    "f2",
    "f3",
    "Alex",
    "Alicia",
    "Andrea",
    "Denis",
    "Hugo",
    "Marco",
    "Mario",
    "Michael",
    "Mike",
]
UNHEARD = ["m7", "m8", "f4", "f5", "Andy", "Annie"]
ACCENTS = ["en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland"]
SEEDS, EPOCHS, RATE = range(3), 12, 22050
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.set_num_threads(1)  # for a network this small a second thread costs more than it brings

# %% [markdown] lang="en"
# ## Somebody speaks
#
# Three to six digits, in a voice, an accent, at a pace and a pitch drawn at random. Listen to the
# first ones.

# %% [markdown] lang="ko"
# ## 누군가 말하다
#
# 숫자 세 개에서 여섯 개를, 무작위로 뽑은 목소리와 억양, 속도와 높낮이로 읽습니다. 처음 몇 개를 들어 보세요.


# %%
def speak(digits, voice, accent, pace, pitch):
    """The sound: RATE samples a second, from -1 to 1."""
    options = {"-v": f"{accent}+{voice}", "-s": pace, "-p": pitch}
    said = subprocess.run(
        [
            "espeak-ng",
            "-D",
            "--stdout",
            *(str(one) for pair in options.items() for one in pair),
            " ".join(WORDS[digit] for digit in digits),
        ],
        capture_output=True,
        check=True,
    ).stdout
    return (
        np.float32(np.frombuffer(said[44:], np.int16)) / 32768
    )  # a WAV file: 44 bytes, then the sound


def spoken(number, voices, seed):
    """`number` times somebody of `voices` says something: what, who, and the sound."""
    random = np.random.default_rng(seed)
    told = [
        (
            random.integers(0, 10, random.integers(3, 7)),
            voices[turn % len(voices)],
            str(random.choice(ACCENTS)),
            int(random.integers(130, 210)),
            int(random.integers(25, 75)),
        )
        for turn in range(number)
    ]
    with ThreadPoolExecutor(2) as pool:
        sounds = list(pool.map(lambda one: speak(*one), told))
    return [one[0] for one in told], [one[1] for one in told], sounds


digits, _, sounds = spoken(1200, HEARD, seed=1)
test_digits, test_voices, test_sounds = spoken(240, UNHEARD, seed=2)
for number in (0, 6, 9):
    print(*digits[number])
    display(Audio(sounds[number], rate=RATE))
print(f"{sum(map(len, sounds)) / RATE / 60:.0f} minutes of speech to learn from")

# %% [markdown] lang="en"
# ## What an ear makes of it
#
# A sound is some 22,000 numbers a second. An ear rather tells **which tones are loud when**, finely
# for low tones and coarsely for high ones. So do we: a hundred times a second, the loudness of 40
# bands (a *mel spectrogram*). You can nearly see the words.

# %% [markdown] lang="ko"
# ## 귀가 듣는 방식
#
# 소리는 1초에 22,000개쯤 되는 숫자입니다. 귀는 그보다 **어느 음이 언제 큰지**를 알아차립니다. 낮은 음은 촘촘하게, 높은 음은
# 성기게 듣습니다. 우리도 그렇게 1초에 백 번, 40개 대역의 크기를 잽니다(*멜 스펙트로그램*). 낱말이 거의 눈에 보입니다.

# %%
BANDS, FFT, HOP = 40, 512, 220


def mel_filters():
    """For each band, how much each frequency of the Fourier transform counts (O'Shaughnessy)."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    tones = np.linspace(0, RATE / 2, FFT // 2 + 1)
    return np.clip(
        np.minimum((tones - low) / (middle - low), (high - tones) / (high - middle)), 0, 1
    )


def heard(sound):
    """(time, band): the loudness, on average 0 and spread 1."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FFT))) ** 2
    loud = np.log(power @ mel_filters().T + 1e-4)
    return ((loud - loud.mean()) / loud.std()).astype(np.float32)


ears, test_ears = [heard(one) for one in sounds], [heard(one) for one in test_sounds]
figure, axes = plt.subplots(3, 1, figsize=(10, 6.4), sharex=True)
for axis, number in zip(axes, (0, 6, 9), strict=True):
    axis.imshow(ears[number].T, origin="lower", aspect="auto", cmap="magma")
    axis.set_facecolor("black")
    axis.set(ylabel="band", title=" ".join(WORDS[digit] for digit in digits[number]))
axes[-1].set(xlabel="time, hundredths of a second")
figure.tight_layout()
figure.savefig("1-ears.png", dpi=90)

# %% [markdown] lang="en"
# ## The baseline: cut and compare
#
# The simple way: cut away the silence, cut the rest into as many equal pieces as there are digits,
# and let a linear classifier say which digit each piece is. It even gets something that the network
# does not: **how many** digits there are. But words are not of equal length.

# %% [markdown] lang="ko"
# ## 기준: 잘라서 견주기
#
# 단순한 방법입니다. 조용한 곳을 잘라 내고, 나머지를 숫자 개수만큼 똑같이 나누고, 선형 분류기가 조각마다 어떤 숫자인지
# 말합니다. 신경망은 받지 못하는 것까지 받습니다. 숫자가 **몇 개**인지 말입니다. 하지만 낱말은 길이가 같지 않습니다.


# %%
def pieces(ear, count, frames=12):
    loud = np.flatnonzero(ear.mean(axis=1) > -0.8)
    ear = ear[loud[0] : loud[-1] + 1]
    places = np.linspace(0, len(ear) - 1, count * frames).round().astype(int)
    return ear[places].reshape(count, -1)


def edits(told, truth):
    """How many digits must be put in, taken out or changed to make `told` the truth."""
    row = np.arange(len(truth) + 1)
    for one in told:
        diagonal, row[0] = row[0], row[0] + 1
        for place, other in enumerate(truth, start=1):
            diagonal, row[place] = (
                row[place],
                min(diagonal + (one != other), row[place] + 1, row[place - 1] + 1),
            )
    return int(row[-1])


def wrong(told):
    """The share of the test's digits that are wrong."""
    faults = sum(edits(one, truth) for one, truth in zip(told, test_digits, strict=True))
    return faults / sum(map(len, test_digits))


simple = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=200))
simple.fit(
    np.concatenate([pieces(ear, len(truth)) for ear, truth in zip(ears, digits, strict=True)]),
    np.concatenate(digits),
)
baseline = wrong(
    [
        simple.predict(pieces(ear, len(truth)))
        for ear, truth in zip(test_ears, test_digits, strict=True)
    ]
)
print(f"cut and compare: {baseline:.1%} of the digits wrong")

# %% [markdown] lang="en"
# ## The network
#
# Two layers look at short stretches of sound (*convolutions*); then a *recurrent* layer (GRU) goes
# through time forwards and backwards and remembers what it has met. Twenty-five times a second it
# says one of eleven things: a digit, or **nothing new** (*blank*).
#
# How does it learn without knowing when each word is spoken? The loss called *CTC* (connectionist
# temporal classification; Graves and others, 2006) adds up all the ways of placing the digits in
# time, in their order, and asks that their sum be likely. Where each belongs, the network finds out.
#
# While it learns, each sound is disturbed a little: some bands and some moments are wiped out. Who
# cannot rely on one trait of a voice learns what the voices share.

# %% [markdown] lang="ko"
# ## 신경망
#
# 두 층이 짧은 소리 토막을 보고(*합성곱*), *순환* 층(GRU)이 시간을 앞뒤로 지나며 만난 것을 기억합니다. 1초에 스물다섯 번, 열한
# 가지 가운데 하나를 말합니다. 숫자 하나, 또는 **새로운 것 없음**(*blank*)입니다.
#
# 낱말이 언제 나오는지 모르면서 어떻게 배울까요? *CTC*(connectionist temporal classification, Graves 외, 2006)라는 손실은
# 숫자들을 순서대로 시간 위에 놓는 모든 방법을 더해, 그 합이 그럴듯해지도록 요구합니다. 각 숫자의 자리는 신경망이 스스로
# 알아냅니다.
#
# 배우는 동안에는 소리를 조금씩 방해합니다. 몇몇 대역과 순간을 지웁니다. 한 목소리의 한 가지 특징에 기댈 수 없으면, 목소리들이
# 함께 지닌 것을 배우게 됩니다.


# %%
class Listener(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.near = torch.nn.Sequential(
            torch.nn.Conv1d(BANDS, 64, 5, stride=2, padding=2),
            torch.nn.ReLU(),
            torch.nn.Conv1d(64, 64, 5, stride=2, padding=2),
            torch.nn.ReLU(),
        )
        self.far = torch.nn.GRU(64, 64, batch_first=True, bidirectional=True)
        self.say = torch.nn.Linear(128, 11)  # 0 is blank, a digit is itself plus 1

    def forward(self, sounds):
        near = self.near(sounds.transpose(1, 2)).transpose(1, 2)
        return self.say(self.far(near)[0]).log_softmax(2)


def disturbed(batch):
    for sound in batch:
        band, moment = torch.randint(BANDS - 8, ()), torch.randint(len(sound) - 15, ())
        sound[:, band : band + 8] = 0
        sound[moment : moment + 15] = 0
    return batch


def learn(seed):
    torch.manual_seed(seed)
    model = Listener().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    batches = -(-len(ears) // 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * batches)
    losses = []
    for _ in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(ears)).split(32):
            sounds = pad_sequence([torch.tensor(ears[one]) for one in batch], batch_first=True)
            truth = [torch.tensor(digits[one]) + 1 for one in batch]
            said = model(disturbed(sounds).to(device)).transpose(0, 1)
            lengths = torch.tensor([-(-len(ears[one]) // 4) for one in batch])
            loss = torch.nn.functional.ctc_loss(
                said,
                torch.cat(truth).to(device),
                lengths,
                torch.tensor([len(one) for one in truth]),
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        losses.append(total / len(ears))
    return model.eval(), losses


@torch.no_grad()
def chances(model, ear):
    """(time, what): how likely each of the eleven things is at each moment."""
    return model(torch.tensor(ear[None], device=device))[0].exp().cpu().numpy()


def transcript(model, ear):
    """The most likely thing at each moment; what goes on is said once; blanks are left out."""
    said = chances(model, ear).argmax(axis=1)
    begins = np.append(True, said[1:] != said[:-1])
    return said[begins & (said > 0)] - 1


errors, curves, transcripts = [], [], []
for seed in SEEDS:
    model, losses = learn(seed)
    transcripts.append([transcript(model, ear) for ear in test_ears])
    errors.append(wrong(transcripts[-1]))
    curves.append(losses)
    print(f"seed {seed}: the loss falls to {losses[-1]:.3f}, {errors[-1]:.1%} of the digits wrong")

# %% [markdown] lang="en"
# ## When it makes up its mind
#
# A voice that it never heard. Above the sound, below what the network says at each moment: it is
# silent for most of the time and speaks up once for each word, though nobody ever told it when.

# %% [markdown] lang="ko"
# ## 언제 마음을 정하나
#
# 한 번도 들어 보지 못한 목소리입니다. 위는 소리, 아래는 신경망이 순간마다 하는 말입니다. 대부분의 시간은 잠자코 있다가
# 낱말마다 한 번씩 말합니다. 언제 말하라고 알려 준 사람은 없습니다.

# %%
shown = 3
figure, (above, below) = plt.subplots(2, 1, figsize=(10, 5), sharex=True)
time = np.arange(len(test_ears[shown])) / 100
above.imshow(
    test_ears[shown].T,
    origin="lower",
    aspect="auto",
    cmap="magma",
    extent=(0, time[-1], 0, BANDS),
)
above.set(ylabel="band", title=f"truth: {' '.join(WORDS[digit] for digit in test_digits[shown])}")
said = chances(model, test_ears[shown])
moments = np.arange(len(said)) / 25
below.fill_between(moments, said[:, 0], color="lightgrey", label="nothing new")
for digit in range(10):
    if said[:, digit + 1].max() > 0.3:
        below.plot(moments, said[:, digit + 1], label=WORDS[digit])
below.set(xlabel="seconds", ylabel="how likely")
below.legend(loc="center right", fontsize=8)
figure.tight_layout()
figure.savefig("2-ctc.png", dpi=90)
print("transcript:", *transcript(model, test_ears[shown]))
display(Audio(test_sounds[shown], rate=RATE))

# %% [markdown] lang="en"
# ## How good is it?
#
# We count how many digits must be put in, taken out or changed, as a share of all that were said.

# %% [markdown] lang="ko"
# ## 얼마나 잘하나
#
# 넣거나 빼거나 바꾸어야 하는 숫자를 세어, 말한 숫자 전체에 대한 비율로 나타냅니다.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
left.plot(range(1, EPOCHS + 1), np.transpose(curves))
left.set(xlabel="epoch", ylabel="CTC loss", yscale="log", title="learning, three seeds")
by_voice = {}
for voice in UNHEARD:
    mine = [number for number, one in enumerate(test_voices) if one == voice]
    said = sum(len(test_digits[number]) for number in mine)
    faults = [sum(edits(told[n], test_digits[n]) for n in mine) / said for told in transcripts]
    by_voice[voice] = 100 * np.mean(faults)
right.bar(list(by_voice), list(by_voice.values()))
right.axhline(100 * baseline, color="grey", linestyle="--", label="cut and compare, all voices")
right.set(ylabel="percent of digits wrong", title="voices it never heard")
right.legend()
figure.tight_layout()
figure.savefig("3-errors.png", dpi=90)
print(f"cut and compare {baseline:.1%} wrong, network {np.mean(errors):.1%} ± {np.std(errors):.1%}")

# %% [markdown] lang="en"
# ## And your own voice?
#
# It would probably fail: all of these voices come from one synthesizer, which pronounces more
# clearly and more evenly than anybody. A model learns what its data have. Real ones (Whisper, for
# one) are made in the same way, from sound in and text out, with hundreds of thousands of hours of
# real people.
#
# **Try it:** take half of the `HEARD` voices away. Or let `speak` say Korean: `-v ko`, and 일 이 삼.

# %% [markdown] lang="ko"
# ## 여러분의 목소리라면?
#
# 아마 잘 못할 것입니다. 이 목소리들은 모두 한 합성기에서 나왔고, 합성기는 누구보다 또렷하고 고르게 발음합니다. 모델은 데이터에
# 있는 것을 배웁니다. 실제로 쓰이는 모델(예를 들어 Whisper)도 소리를 넣고 글을 내는 같은 방식으로, 진짜 사람의 말 수십만
# 시간으로 만듭니다.
#
# **해 보기:** `HEARD`의 목소리를 절반으로 줄여 보세요. 또는 `speak`가 한국어로 말하게 해 보세요. `-v ko`로, 일 이 삼이라고.

# %%
told = {"digits wrong, network": errors, "loss falls to": [one[-1] for one in curves]}
print(
    json.dumps(
        {
            "device": device,
            "digits wrong, baseline": round(baseline, 4),
            **{name: round(float(np.mean(values)), 4) for name, values in told.items()},
            **{f"{name}, spread": round(float(np.std(values)), 4) for name, values in told.items()},
            "network wins by at least": round(baseline - max(errors), 4),
        }
    )
)
