"""The mandates' folders on this PC: looked after, changed, checked."""
