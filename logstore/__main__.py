"""`python -m logstore` is the command `logstore`."""

from logstore.cli.app import main

if __name__ == "__main__":
    main()
