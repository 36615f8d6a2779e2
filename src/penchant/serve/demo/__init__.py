"""The story that `penchant demo` tells, and how it is drawn."""
