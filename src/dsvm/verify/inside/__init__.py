"""Programs that verify copies into a machine and runs there. Standard library only, Python 3.11."""
