"""The first day: lessons on real data, each proven by a result that must hold.

src/dsvm/learn/gallery/<name>/lesson.toml   what it is, where it runs, what must come out
                              lesson.py     text in every language, and the code, in cells
"""

from dsvm.learn.lessons import load_lessons
from dsvm.learn.model import Lesson

__all__ = ["Lesson", "load_lessons"]
