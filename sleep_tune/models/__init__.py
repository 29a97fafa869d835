"""Models: architectures by name, their first weights, and the forward passes that compute only what is needed."""
