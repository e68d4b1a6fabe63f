"""Films and sounds become features whose times are exact."""
