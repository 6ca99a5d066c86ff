"""Training one trial or many: a stepper over trials, so that one trial alone is only the simple case."""
