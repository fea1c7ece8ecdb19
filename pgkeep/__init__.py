"""The command line: `pgkeep`. One module or folder for each command."""
