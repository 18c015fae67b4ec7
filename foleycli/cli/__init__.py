"""The command line: the only place that imports typer, rich or tqdm, or exits."""
