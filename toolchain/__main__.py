"""`python -m toolchain`: what the Makefile's targets call."""

import sys

from toolchain.bytecode import keep_bytecode

if __name__ == "__main__":
    keep_bytecode()  # Before the imports that it makes quick.
    from toolchain.commands import main

    sys.exit(main())
