"""What the data planes share: one `Cloud` a daemon, given to each plane's `install`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.authorities import Authority
from localcloud.home import ACCOUNT_ID, REGION, Home

if TYPE_CHECKING:
    from localcloud.fabric.fabric import Fabric


@dataclass(frozen=True)
class Cloud:
    """One running local cloud."""

    home: Home
    fabric: "Fabric"
    rds_authority: Authority
    services_authority: Authority
    # Root folder of the Debian 13 base image: a read-only lower layer, never written to.
    image: Path
    region: str = REGION
    account_id: str = ACCOUNT_ID
