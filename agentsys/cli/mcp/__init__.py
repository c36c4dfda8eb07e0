"""The tools of agentsys for other agents, by the Model Context Protocol."""
