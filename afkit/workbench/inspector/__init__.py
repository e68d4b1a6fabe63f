"""The inspector: timelines to move through, as a widget, as one page, and for several runs."""
