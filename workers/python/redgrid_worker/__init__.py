"""redgrid's built-in Python worker: runs classic function apps in plain Python 3.9 or later.

In reading order: channel (frames on the inherited socket), rpc (the messages), loader (finds the
user's function), values (what it is given and what it gives back), runner (runs it), logs (what it
says), worker (joins them). The modules live in a package so that an app may have a `loader.py` of
its own.
"""
