"""The Container Device Interface: files in which a maker says what its device needs in a container.

model     one file, checked: https://github.com/cncf-tags/container-device-interface, SPEC.md
registry  all files of a host, and the device that a name stands for
nvidia    such a file for NVIDIA's GPUs, where their toolkit has not written one
given     what follows for a container: nodes, files, and what its system is told
"""
