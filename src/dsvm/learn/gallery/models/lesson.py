# %% [markdown] lang="en"
# # Others' good models: try what others have trained
#
# To train a good model takes data, computers and patience. Many people give theirs away. Before you
# train one yourself, look whether one is there: `dsvm models` lists those that dsvm knows, by task,
# size, licence and runtime, and `dsvm models add NAME` brings one into this machine.
#
# Each lives in a layer of its own, with just the packages that it needs. Nothing here is installed
# into this notebook's Python: the program `dsvm-model` starts a model, asks it, and ends it. Nothing
# is downloaded, and all of it takes a minute or two on two processors.

# %% [markdown] lang="ko"
# # 남이 잘 만든 모델: 이미 학습된 것을 써 보기
#
# 좋은 모델을 학습시키려면 데이터와 컴퓨터와 끈기가 필요합니다. 다행히 많은 사람이 자기 모델을 나누어 줍니다. 직접 학습시키기
# 전에 이미 있는지 먼저 찾아보세요. `dsvm models`는 dsvm이 아는 모델을 과제, 크기, 라이선스, 실행 환경과 함께 보여 주고,
# `dsvm models add 이름`은 그것을 이 머신에 넣습니다.
#
# 모델마다 꼭 필요한 패키지만 담긴 자기 층에서 삽니다. 이 노트북의 파이썬에는 아무것도 설치하지 않습니다. `dsvm-model`이라는
# 프로그램이 모델을 켜고, 묻고, 끕니다. 내려받는 것은 없고, 프로세서 두 개로 1, 2분쯤 걸립니다.

# %%
import json
import subprocess
import wave
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np


def ask(model: str, *inputs: object) -> list[dict]:
    """What a model answers to each input."""
    command = ["dsvm-model", model, *map(str, inputs)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in said.splitlines()]


results = {}

# %% [markdown] lang="en"
# ## What is in this file?
#
# A name can lie: a virus may call itself `holiday.jpg`. *Magika* looks at the content. Six files get
# names without an ending; what would *you* look at to tell a CSV file from a Python program?

# %% [markdown] lang="ko"
# ## 이 파일에는 무엇이 들었을까요?
#
# 이름은 거짓말을 할 수 있습니다. 바이러스가 `휴가.jpg`라는 이름을 달 수도 있습니다. *Magika*는 내용을 봅니다. 여섯 파일에
# 확장자 없는 이름을 붙였습니다. *여러분*이라면 CSV 파일과 파이썬 프로그램을 무엇을 보고 구별하겠습니까?

# %%
FILES = {
    "python": "import csv\n\n\ndef total(path):\n    with open(path) as file:\n"
    "        return sum(float(row['price']) for row in csv.DictReader(file))\n",
    "html": "<!DOCTYPE html>\n<html><head><title>Shop</title></head>\n<body><h1>Welcome</h1>\n"
    "<p>Everything for your garden.</p></body></html>\n",
    "csv": "name,city,price\n" + "".join(f"item{n},Seoul,{n * 1.5}\n" for n in range(40)),
    "c": "#include <stdio.h>\n\nint main(void) {\n    for (int i = 0; i < 10; i++)\n"
    '        printf("%d\\n", i * i);\n    return 0;\n}\n',
    "sql": "CREATE TABLE mails (id integer PRIMARY KEY, sender text NOT NULL, at timestamp);\n"
    "INSERT INTO mails VALUES (1, 'ada', now());\nSELECT sender, count(*) FROM mails GROUP BY sender;\n",
    "json": json.dumps([{"name": f"item{n}", "price": n * 1.5} for n in range(20)], indent=1),
}
for number, text in enumerate(FILES.values()):
    Path(f"unknown-{number}").write_text(text)
kinds = ask("magika", *(f"unknown-{number}" for number in range(len(FILES))))
for number, (right, told) in enumerate(zip(FILES, kinds, strict=True)):
    print(f"unknown-{number}: {told['description']} ({told['score']:.2f}), it is {right}")
results["kinds of files that are right"] = float(
    np.mean([right == told["label"] for right, told in zip(FILES, kinds, strict=True)])
)

# %% [markdown] lang="en"
# ## Which language is it?
#
# *py3langid* knows 97 languages and weighs less than a photo. It counts short sequences of letters,
# so a longer text is easier than a short one.

# %% [markdown] lang="ko"
# ## 어느 나라 말일까요?
#
# *py3langid*는 97개 언어를 알면서도 사진 한 장보다 가볍습니다. 짧은 글자 묶음의 빈도를 세기 때문에, 글이 길수록 맞히기 쉽습니다.

# %%
TEXTS = {
    "en": "Where is the next station, and when does the train leave?",
    "ko": "다음 역은 어디이고 기차는 언제 떠납니까?",
    "de": "Wo ist der nächste Bahnhof, und wann fährt der Zug ab?",
    "fr": "Où se trouve la gare la plus proche et quand part le train ?",
    "es": "¿Dónde está la próxima estación y cuándo sale el tren?",
    "ja": "次の駅はどこですか。電車はいつ出発しますか。",
    "zh": "下一站在哪里，火车什么时候出发？",
    "it": "Dov'è la prossima stazione e quando parte il treno?",
    "ru": "Где находится следующая станция и когда отправляется поезд?",
    "ar": "أين تقع المحطة التالية ومتى يغادر القطار؟",
}
languages = ask("py3langid", *TEXTS.values())
for right, told in zip(TEXTS, languages, strict=True):
    print(f"{right}: told {told['language']} ({told['probability']:.2f})")
results["languages that are right"] = float(
    np.mean([right == told["language"] for right, told in zip(TEXTS, languages, strict=True)])
)

# %% [markdown] lang="en"
# ## A chain: find the speech, write it down
#
# Models become more useful together. Here a voice says one sentence somewhere in eight seconds of
# humming. *Silero VAD* finds when somebody speaks; only that part is given to *PocketSphinx*, which
# writes it down. PocketSphinx is small and older than neural networks: ask it for single, clear
# sentences and not for a film.

# %% [markdown] lang="ko"
# ## 이어 쓰기: 말소리를 찾아서 받아쓰기
#
# 모델은 함께 쓰면 더 쓸모 있습니다. 8초 동안 이어지는 웅웅 소리 어딘가에서 누군가 한 문장을 말합니다. *Silero VAD*가 언제
# 말하는지 찾고, 그 부분만 *PocketSphinx*에 주어 받아쓰게 합니다. PocketSphinx는 작고 신경망보다 오래된 모델입니다. 영화
# 대사가 아니라 또렷한 한 문장을 맡기세요.

# %%
RATE, AT = 16_000, 3.0
SAMPLES = Path("/usr/share/dsvm/models/pocketsphinx/samples/forward.wav")
SAID = "go forward ten meters"
with wave.open(str(SAMPLES), "rb") as recording:
    voice = np.frombuffer(recording.readframes(recording.getnframes()), "<i2") / 32768
noise = np.random.default_rng(1).normal(size=8 * RATE)
time = np.arange(8 * RATE) / RATE
scene = 0.02 * np.sin(2 * np.pi * 100 * time) + 0.002 * noise
begin = int(AT * RATE)
scene[begin : begin + len(voice)] += voice


def write(name: str, samples: np.ndarray) -> str:
    with wave.open(name, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return name


# Of the recording itself the loud part is speech.
loud = np.abs(voice) > 0.1 * np.abs(voice).max()
spoken = (AT + np.flatnonzero(loud)[0] / RATE, AT + np.flatnonzero(loud)[-1] / RATE)
(found,) = ask("silero-vad", write("scene.wav", scene))
first, last = found["first_s"], found["last_s"]
overlap = min(last, spoken[1]) - max(first, spoken[0])
results["of the speech found"] = overlap / (spoken[1] - spoken[0])
part = scene[max(0, int((first - 0.5) * RATE)) : int((last + 0.5) * RATE)]
(heard,) = ask("pocketsphinx", write("part.wav", part))
print(f"speech from {first} s to {last} s: {heard['text']!r}")

figure, axis = plt.subplots(figsize=(9, 2.4))
axis.plot(time, scene, linewidth=0.4, color="tab:grey")
axis.axvspan(first, last, color="tab:green", alpha=0.25)
axis.set(xlabel="seconds", yticks=[], title=f"speech found, and heard: “{heard['text']}”")
figure.savefig("1-speech.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## How much noise does it bear?
#
# The same voice under more and more noise. *DNSMOS* tells what people would say about how well it
# can be listened to, from 1 (bad) to 5. Where do the words get lost: when the opinion gets worse, or
# later?

# %% [markdown] lang="ko"
# ## 잡음을 얼마나 견딜까요?
#
# 같은 목소리에 잡음을 점점 더합니다. *DNSMOS*는 사람들이 듣기 좋은 정도를 1(나쁨)에서 5까지 몇 점으로 매길지 알려 줍니다.
# 낱말은 언제부터 틀릴까요? 점수가 나빠질 때일까요, 그보다 나중일까요?

# %%
LEVELS = [0.0, 0.002, 0.005, 0.01, 0.05]
names = [
    write(f"noise-{number}.wav", voice + level * noise[: len(voice)])
    for number, level in enumerate(LEVELS)
]
opinions = [told["overall"] for told in ask("dnsmos", *names)]
words = [told["text"].split() for told in ask("pocketsphinx", *names)]
right = [sum(word in told for word in SAID.split()) for told in words]
for level, opinion, told in zip(LEVELS, opinions, words, strict=True):
    print(f"noise {level}: opinion {opinion}, heard {' '.join(told)!r}")
results["words right without noise"] = right[0]
results["opinion lost by noise"] = opinions[0] - opinions[-1]

figure, axis = plt.subplots(figsize=(6, 3.2))
axis.plot(opinions, "o-", color="tab:blue")
axis.set(xlabel="noise", ylabel="opinion (DNSMOS)", ylim=(1, 5))
axis.set_xticks(range(len(LEVELS)), LEVELS)
axis.yaxis.label.set_color("tab:blue")
other = axis.twinx()
other.bar(range(len(LEVELS)), right, width=0.4, color="tab:orange", alpha=0.4)
other.set(ylabel="words right, of 4", ylim=(0, 5))
other.yaxis.label.set_color("tab:orange")
figure.savefig("2-noise.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## Texts by their meaning
#
# *WordLlama* turns a text into 256 numbers, so that texts of like meaning lie near each other, also
# when they share no word. That is what a search by meaning is made of: the nearest text wins.

# %% [markdown] lang="ko"
# ## 뜻으로 글 찾기
#
# *WordLlama*는 글 하나를 숫자 256개로 바꿉니다. 같은 낱말이 하나도 없어도 뜻이 비슷한 글은 서로 가까이 놓입니다. 뜻으로 찾는
# 검색은 이것으로 만듭니다. 가장 가까운 글이 답입니다. (이 모델은 영어 글을 잘 압니다.)

# %%
PAIRS = {
    "The orchestra played a symphony": "A concert of classical music",
    "Chop the onions and simmer the soup": "A recipe for dinner",
    "The striker scored twice in the final": "A football match",
    "The share price fell after the report": "News of the stock market",
    "The nurse measured his blood pressure": "A visit to the hospital",
    "Snow and strong wind are expected": "The weather forecast",
}
told = ask("wordllama", *PAIRS, *PAIRS.values())
vectors = np.array([one["embedding"] for one in told])
alike = vectors[: len(PAIRS)] @ vectors[len(PAIRS) :].T
nearest = alike.argmax(axis=1)
for text, at in zip(PAIRS, nearest, strict=True):
    print(f"{text}: {list(PAIRS.values())[at]}")
results["nearest texts that are right"] = float(np.mean(nearest == np.arange(len(PAIRS))))

figure, axis = plt.subplots(figsize=(7, 4))
shown = axis.imshow(alike, cmap="Greens")
axis.set_xticks(range(len(PAIRS)), PAIRS.values(), rotation=35, ha="right", fontsize=8)
axis.set_yticks(range(len(PAIRS)), PAIRS, fontsize=8)
figure.colorbar(shown, label="how alike")
figure.savefig("3-meaning.png", dpi=90, bbox_inches="tight")

# %% [markdown] lang="en"
# ## What now
#
# - `dsvm models` on the computer that runs this machine shows the others: text in pictures, wake
#   words, pitch, Korean morphemes. `dsvm models run NAME FILE` asks one without a notebook.
# - `dsvm models serve NAME` makes it answer over HTTP, by the same protocol as the large servers.
# - Hugging Face has many thousands more: the guide *Models* says how one of them is added by the
#   digests of its files. Look at the licence of the weights before you build on a model.

# %% [markdown] lang="ko"
# ## 다음에는
#
# - 이 머신을 돌리는 컴퓨터에서 `dsvm models`라고 치면 다른 모델도 보입니다. 그림 속 글자, 호출어, 음높이, 한국어 형태소가
#   있습니다. `dsvm models run 이름 파일`은 노트북 없이 묻습니다.
# - `dsvm models serve 이름`은 큰 서버들과 같은 규약으로 HTTP로 대답하게 합니다.
# - Hugging Face에는 수많은 모델이 더 있습니다. 파일의 다이제스트로 하나를 더하는 법은 안내서 *Models*에 있습니다. 어떤 모델
#   위에 무언가를 만들기 전에 가중치의 라이선스를 살펴보세요.

# %%
print(json.dumps({name: round(float(value), 4) for name, value in results.items()}))
