"""The program `pgkeep`, also as `python -m pgkeep`."""

import gc
import sys

from toolchain.bytecode import keep_bytecode


def main() -> None:
    """Run the command line, with its modules compiled once."""
    keep_bytecode()  # Before the imports that it makes quick.
    judges = sys.argv[1:2] == ["check"]
    if judges:
        # It ends with its process: nobody has use for what a search for garbage would free.
        gc.disable()
    else:
        from operations.garbage import search_rarely

        search_rarely()
    try:
        from pgkeep.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("pgkeep: interrupted; nothing was changed\n")
        sys.exit(130)
    try:
        run()
    finally:
        if judges:
            gc.freeze()


if __name__ == "__main__":
    main()
