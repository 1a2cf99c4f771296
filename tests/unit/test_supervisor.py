from __future__ import annotations

import asyncio

from agent.backoff import delays
from agent.supervisor import Leaf, scope
from tests.fakes import until


async def test_a_leaf_that_dies_is_restarted_and_its_death_is_known() -> None:
    lives = 0

    async def leaf() -> None:
        nonlocal lives
        lives += 1
        raise ValueError("a bug")

    watched = Leaf("buggy", leaf)
    async with scope([watched]):
        await until(lambda: lives >= 2)
    assert watched.restarts >= 1 and watched.last_error == "ValueError: a bug"


async def test_leaving_a_scope_ends_its_leaves() -> None:
    ended = asyncio.Event()

    async def leaf() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with scope([Leaf("sleeper", leaf)]):
        await asyncio.sleep(0.01)
    assert ended.is_set()


def test_waits_double_up_to_the_longest() -> None:
    waits = delays(0.5, 4.0)
    for longest_s in (0.5, 1.0, 2.0, 4.0, 4.0):
        assert longest_s * 0.75 <= next(waits) <= longest_s
