"""The network between the front end and the passes: graph, layers, windows."""
