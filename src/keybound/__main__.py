"""``python -m keybound``: the command line."""

from keybound.cli import main

if __name__ == "__main__":
    main()
