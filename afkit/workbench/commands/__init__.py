"""The commands of python -m afkit: what each is told, and what it does. Libraries are imported where they are used."""
