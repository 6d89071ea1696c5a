"""The same page by other means: what people would have used, written as they would have."""
