"""Dependencies of a sandbox: resolved and fetched by uv on the host as wheels only, and linked in without network.

Nothing that a distribution brings along runs on the host: no build backend, no `setup.py`, no `.pth` file.
"""
