"""The databases of the projects."""
