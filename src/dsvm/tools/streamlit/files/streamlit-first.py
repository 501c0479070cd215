"""A first app: `dsvm open streamlit` shows it from ~/streamlit/app.py, which is yours to change."""

import numpy as np
import streamlit as st

st.title("A walk at random")
steps = st.slider("steps", 10, 1000, 200)
walk = np.random.default_rng(0).choice([-1, 1], steps).cumsum()
st.line_chart(walk)
st.write(f"After {steps} steps it is at {walk[-1]}.")
