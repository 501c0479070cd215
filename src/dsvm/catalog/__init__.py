"""What can be in a machine: tools, profiles and bases, each a folder or a line of data."""

from dsvm.catalog.load import Catalog, load_catalog

__all__ = ["Catalog", "load_catalog"]
