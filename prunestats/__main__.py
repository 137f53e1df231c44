"""``python -m prunestats`` is the command line."""

from prunestats.cli import main

if __name__ == "__main__":
    main()
