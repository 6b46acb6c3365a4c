"""Measurements as ratios formed inside one run; absolute times say more about the machine than about the code."""
