"""What stac-api-validator says of a site and of a hub."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.federated import Service
from tests.stac.served import BOXES

VALIDATOR = Path(__file__).parents[3] / "shared/tools/validate_stac_api.py"
CLASSES = ("core", "collections", "features", "item-search", "filter", "item-search#sort", "features#sort")
ITS_OWN = [
    # `between` takes three arguments (OGC 21-065r2, 6.7.3); a draft of CQL2 had two, the second a list
    r'\{"op": "between", "args": \[\{"property": "eo:cloud_cover"\}, \[0, 50\]\]\}',
    # `collections` is a list (STAC API, item search: query parameters); here it gives a text
    r'"sortby": .*"collections": "scenes"',
]

pytestmark = pytest.mark.skipif(
    not VALIDATOR.exists(), reason=f"{VALIDATOR} is not there: it comes with the shared material"
)


def test_the_validator_finds_no_error_but_its_own(service: Service) -> None:
    west, south, east, north = BOXES[0]
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = f'{{"type": "Polygon", "coordinates": [{ring}]}}'
    command = [sys.executable, str(VALIDATOR), "--root-url", service.stac]
    command += ["--collection", "scenes", "--geometry", geometry]
    for each in CLASSES:
        command += ["--conformance", each]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    report = said.stdout + said.stderr
    for found in ("Item Search", "Features", "Filter Extension", "CQL2-Text", "CQL2-JSON", "Sort extension"):
        assert re.search(f"STAC API - .*{found}", report), f"{found} was not looked at: {report}"
    _, heading, after = report.partition("Errors:")
    assert heading, report
    errors = [line for line in after.splitlines() if line.startswith("- ")]
    assert len(errors) == 4, "the validator's own errors are gone, or others have come"
    assert [error for error in errors if not any(re.search(own, error) for own in ITS_OWN)] == []
