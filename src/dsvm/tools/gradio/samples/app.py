"""A picture of the colours asked for, side by side, and how many letters their names have."""

import sys

import gradio as gr
import numpy as np

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0)}


def paint(left, right):
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :100], picture[:, 100:] = COLOURS[left], COLOURS[right]
    return picture, len(left) + len(right)


names = list(COLOURS)
page = gr.Interface(
    paint,
    [gr.Dropdown(names, label="left"), gr.Dropdown(names, label="right")],
    [gr.Image(format="png"), gr.Number()],
    title="Two halves",
    api_name="paint",
)
page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
