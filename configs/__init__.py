"""The experiments, one file each, and what they share; `main.py --config` loads them by path."""
