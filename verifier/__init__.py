"""The verifier: relying parties ask for a presentation and are told what its twelve checks found."""
