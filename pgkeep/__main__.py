"""The program `pgkeep`, also as `python -m pgkeep`."""

from toolchain.bytecode import keep_bytecode


def main() -> None:
    """Run the command line, with its modules compiled once."""
    keep_bytecode()  # Before the imports that it makes quick.
    from pgkeep.app import main as run

    run()


if __name__ == "__main__":
    main()
