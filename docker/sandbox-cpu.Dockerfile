# The base image of the sandbox where a registry is reachable. `agentsys sandbox build --source registry` sends this
# with the folder tools/ (node, pyright), taken from the installed packages.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

# What wheels and source distributions need beyond the slim image.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc g++ git libgomp1 libgl1 libglib2.0-0 make \
 && rm -rf /var/lib/apt/lists/*

# The code under test runs as this user; a fresh volume takes the owner of the folder it is mounted on.
RUN groupadd --gid 1000 user \
 && useradd --uid 1000 --gid 1000 --home-dir /tmp --no-create-home --shell /bin/bash user \
 && mkdir -p /work/venv \
 && chown 1000:1000 /work /work/venv

COPY tools /opt/agentsys

ENV LANG=C.UTF-8
LABEL agentsys.base=registry
USER 1000:1000
WORKDIR /work
CMD ["bash"]
