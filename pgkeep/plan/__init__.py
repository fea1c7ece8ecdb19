"""`pgkeep plan`: a preview that a human can read, with what would be lost, costs and policies."""
