"""`pgkeep check`: the policy pack's rules without the engine, over programs, states and plans."""
