"""A package, since a library may bring one of this name, too (gpuhunt does): ours comes first."""
