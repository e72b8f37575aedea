"""The reader's own image: what each line of its Dockerfile and each package costs, and what to change next.

Any image that the scales in weigh/ can read; needs no engine but to build one.
Imports base/, weigh/, steps/ and, behind one function, build/.
"""
