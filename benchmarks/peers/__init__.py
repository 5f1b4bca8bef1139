"""What cscale is measured against: made, started and ended by the benchmarks themselves.

Python peers live in an environment of their own, made from `peers.lock`; databases and web servers come
from Debian's packages. All listen on 127.0.0.1 only.
"""
