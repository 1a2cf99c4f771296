"""Starts a program that dies when the demo does: ``python -m agent.demo.leash SIGNAL PARENT COMMAND …``.

The kernel sends SIGNAL to the program when its parent ends, however it ends. The pid does not change.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command; does not return."""
    number, parent, *command = arguments
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != int(parent):
        sys.exit("the demo ended before its process began")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
