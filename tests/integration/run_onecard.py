"""The command line as a module, for tests that run it in a process of its own."""

from onecard.cli.app import main

if __name__ == "__main__":
    main()
