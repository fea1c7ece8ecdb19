"""`pgkeep backup`: make, list, verify and prune backups of a deployed stack."""
