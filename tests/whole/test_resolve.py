"""From the same environment, files and services haul resolves what boto3 does: the same keys,
by the same source and the same questions to STS, for the same region. resolve_cases.py is the
table, and says where haul differs on purpose, and why.
"""

import pytest
from resolve import Job, check_different, check_same
from resolve_cases import CASES


@pytest.mark.parametrize("case", [c for c in CASES if not c.why], ids=str)
def test_haul_resolves_what_boto3_does(case, haul, services):
    """Case 47."""
    check_same(Job(case, haul, services))


@pytest.mark.parametrize("case", [c for c in CASES if c.why], ids=str)
def test_haul_differs_from_boto3_where_it_should(case, haul, services):
    """Case 46."""
    check_different(Job(case, haul, services))
