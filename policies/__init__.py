"""pgkeep's policy pack: what is refused before it reaches AWS.

`python -m pulumi.policy` runs `__main__.py`, which serves the pack to Pulumi's engine. The same
rules run without the engine on plain dictionaries: `policies.evaluation.evaluate`.

The pack stands alone: it imports nothing else of pgkeep, so the folder can be pointed at, or
copied, from any Pulumi program (`pulumi preview --policy-pack path/to/policies`).
"""
