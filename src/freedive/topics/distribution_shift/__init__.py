"""Distribution shift and the loops a learner stands in (sections 4.7 and 1.3)."""
