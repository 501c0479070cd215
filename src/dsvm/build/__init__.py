"""Lock -> layers -> image: everything by key out of the store, what is missing made in parallel.

`dsvm.build.build` has the two entry points. Nothing is imported here: who only reads a record of
a layer (`dsvm.build.model`) shall not wait for all that builds one.
"""
