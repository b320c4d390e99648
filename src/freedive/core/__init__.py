"""How anything is trained. This floor knows no data set and no model."""
