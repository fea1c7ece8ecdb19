"""EC2 instance types, and that a processor can be told from the name."""

from __future__ import annotations

from facts import ec2
from facts.package_data import gzipped_json_file


def test_types_differ_by_region() -> None:
    ireland, malaysia = ec2.instance_types("eu-west-1"), ec2.instance_types("ap-southeast-5")
    assert ireland is not None
    assert malaysia is not None
    assert {"t4g.small", "t3.small", "a1.large"} <= ireland
    assert "a1.large" not in malaysia
    assert ec2.instance_types("mars-north-1") is None
    assert "eu-west-1" in ec2.regions()


def test_the_processor_is_told_from_the_name() -> None:
    """Judged by EC2's own description of every type."""
    described = gzipped_json_file("moto", "ec2/resources/instance_types.json.gz")
    wrong = {
        name: facts["ProcessorInfo"]["SupportedArchitectures"]
        for name, facts in described.items()
        # Apple's, which run no Linux.
        if not name.startswith("mac")
        and ec2.architecture(name) not in facts["ProcessorInfo"]["SupportedArchitectures"]
    }
    assert wrong == {}
