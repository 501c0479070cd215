"""dsvm: the data science virtual machine for any computer, built, booted and proven."""

__version__ = "0.1.0"
