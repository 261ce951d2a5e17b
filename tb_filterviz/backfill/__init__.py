"""After the training: many checkpoints, drawn here or by many processes, into one run."""
