"""A first app: `dsvm open gradio` shows `demo` of ~/gradio/app.py, which is yours to change."""

import gradio as gr


def greet(name):
    return f"Hello, {name}!"


demo = gr.Interface(greet, gr.Textbox(label="name"), gr.Textbox(label="answer"), title="A greeting")
if __name__ == "__main__":
    demo.launch()
