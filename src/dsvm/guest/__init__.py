"""What runs inside the machine: standard library only, Python 3.11 or later.

The image holds these modules at /usr/lib/dsvm/guest (below /usr/lib as `dsvm.guest`) and the tree
`files/` laid over its root. `dsvm-guest apply` makes the machine what its seed says.
"""
