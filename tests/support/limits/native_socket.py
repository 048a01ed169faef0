"""Open a socket of an address family from native code where the network is forbidden, and report that it succeeded."""

import ctypes
import sys

from support.limits.seccomp import forbid_network

if __name__ == "__main__":
    forbid_network()
    ctypes.CDLL(None).socket(int(sys.argv[1]), 1, 0)
    print("alive")
