"""KMS's multi-Region keys: a replica has a policy, description, tags and state of its own.

moto copies the primary with everything, calls the copy a primary, and copies keys of one Region too
(AWS KMS API reference: ReplicateKey; developer guide: multi-Region keys, shared properties).
"""

import json
from copy import copy, deepcopy
from typing import Any


def install() -> None:
    """Mend moto's KMS."""
    from moto.core.exceptions import JsonRESTError
    from moto.kms.models import kms_backends
    from moto.kms.responses import KmsResponse

    def replicate_key(response: Any) -> str:
        key_id: str = response._get_param("KeyId")
        region: str = response._get_param("ReplicaRegion")
        backend: Any = response.kms_backend
        response._validate_key_id(key_id)
        primary = backend.keys[backend.any_id_to_key_id(key_id)]
        there = kms_backends[backend.account_id][region]
        if not primary.multi_region or primary.region != backend.region_name:
            raise JsonRESTError(
                "UnsupportedOperationException", f"{primary.arn} is no multi-Region primary key."
            )
        if region == primary.region or primary.id in there.keys:
            raise JsonRESTError("AlreadyExistsException", f"{region} has {primary.id} already.")
        replica = _replica(primary, region)
        replica.policy = response._get_param("Policy") or replica.generate_default_policy()
        replica.description = response._get_param("Description") or ""
        there.keys[replica.id] = replica
        tags = response._get_param("Tags") or []
        there.tag_resource(replica.id, {one["TagKey"]: one["TagValue"] for one in tags})
        return json.dumps(
            {
                "ReplicaKeyMetadata": replica.to_dict()["KeyMetadata"],
                "ReplicaPolicy": replica.policy,
                "ReplicaTags": tags,
            }
        )

    setattr(KmsResponse, "replicate_key", replicate_key)  # noqa: B010


def _replica(primary: Any, region: str) -> Any:
    """The same id and material in another region; the private key object cannot be deep-copied."""
    replica = copy(primary)
    replica.region = region
    replica.arn = primary.arn.replace(f":{primary.region}:", f":{region}:")
    replica.grants, replica.aliases, replica.rotations = {}, {}, []
    replica.enabled, replica.key_state, replica.deletion_date = True, "Enabled", None
    configuration = primary.multi_region_configuration
    configuration["ReplicaKeys"].append({"Arn": replica.arn, "Region": region})
    replica.multi_region_configuration = {
        **deepcopy(configuration),
        "MultiRegionKeyType": "REPLICA",
    }
    return replica
