"""A figure whose left half is red and whose right half is blue, and a sum in words."""

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import streamlit as st

st.title("Two halves")
last = st.slider("last", 1, 100, 10)
st.write(f"The sum is {sum(range(last + 1))}")
figure = plt.figure(figsize=(4, 2))
for left, colour in ((0, "red"), (0.5, "blue")):
    figure.add_axes((left, 0, 0.5, 1), facecolor=colour, xticks=[], yticks=[])
drawn = io.BytesIO()
figure.savefig(drawn, dpi=50)
st.image(drawn)
