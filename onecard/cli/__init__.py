"""The command line: `onecard`, a module for each command or group.

In: words, options, hidden prompts. Out: tables or JSON, one clear line for an error, an exit code.
No SQL and no rule; a command's module is imported when the command is called.
"""
