"""`python -m cscale`."""

from cscale.cli import main

if __name__ == "__main__":
    main()
