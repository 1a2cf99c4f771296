"""A disk that fails, or is full, for a moment: nothing is lost, nothing is written twice, and it goes on by itself."""

from __future__ import annotations

import pytest

from tests.faults.io_faults import CALLS, ERRORS, Fault, faults, suffer

KNOWN = (
    Fault("fdatasync", "EIO", 18, 19),  # the log keeps a transaction whose flush failed: it was written twice
    Fault("fdatasync", "ENOSPC", 16, 20),  # and it came back three times
    Fault("pwrite64", "ENOSPC", 60, 66),
    Fault("openat", "EIO", 3, 5),
    Fault("unlink", "EIO", 1, 3),
    Fault("ftruncate", "EIO", 1, 2),
)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("fault", KNOWN, ids=str)
def test_a_fault_of_the_disk_loses_and_doubles_nothing(fault: Fault) -> None:
    assert suffer(fault) == []


@pytest.mark.server
def test_a_campaign_tries_each_call_with_each_error() -> None:
    tried = {(fault.call, fault.error) for fault in faults(len(CALLS) * len(ERRORS), seed=1)}
    assert tried == {(call, error) for call in CALLS for error in ERRORS}
