"""Sizes that machines can have, here and at clouds, with their prices: `load_sizes`."""

from dsvm.sizes.model import OWN, THIS_COMPUTER, Size, Source, Table
from dsvm.sizes.table import load_sizes, own_size

__all__ = ["OWN", "THIS_COMPUTER", "Size", "Source", "Table", "load_sizes", "own_size"]
