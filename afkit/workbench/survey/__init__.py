"""What a data set says about itself, where it is wrong, and which settings suit it: the room of 01_data."""
