"""An array that notes which rows are asked for."""


class Watched:
    """It is sliced like an array, as one in HDF5, and keeps the slices."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.asked = array, array.shape, array.dtype, []

    def __getitem__(self, rows):
        self.asked.append(rows)
        return self.array[rows]
