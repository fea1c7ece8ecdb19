"""One example of every resource type, in the order in which they depend on each other.

`build` gives the inputs from what was made before; `change` is an update in place, with the API
operations that it must call; `replace` is a change that needs another resource.
"""

from tests.localcloud import (
    provider_samples_accounts,
    provider_samples_buckets,
    provider_samples_databases,
    provider_samples_functions,
    provider_samples_hosts,
    provider_samples_network,
)

SAMPLES = (
    *provider_samples_network.SAMPLES,
    *provider_samples_databases.SAMPLES,
    *provider_samples_accounts.SAMPLES,
    *provider_samples_buckets.SAMPLES,
    *provider_samples_functions.SAMPLES,
    *provider_samples_hosts.SAMPLES,
)
