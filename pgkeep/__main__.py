"""`python -m pgkeep`, the same as `pgkeep`."""

from pgkeep.app import main

if __name__ == "__main__":
    main()
