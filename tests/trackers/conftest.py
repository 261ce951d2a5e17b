import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # as these packages are imported: they would speak to their makers
os.environ["WANDB_ERROR_REPORTING"] = "false"
