"""Probability: sampling, Bayes' rule, expectation and variance (section 2.6)."""
