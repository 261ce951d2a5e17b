"""Any saved model or file of weights, to a model with its weights. What names and files say is read without Keras."""
