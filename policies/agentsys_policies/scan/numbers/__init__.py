"""Whether numbers that a paper reports as results stand in a repository: in any file, in any form."""
