"""The command line. The only place that imports typer."""

import gc

gc.set_threshold(50_000)  # importing makes many objects and no garbage: a tenth of a short command's time
