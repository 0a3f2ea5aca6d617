"""One of two processes that torchrun starts: it trains in several ways and writes down what it found.

torchrun --nproc-per-node 2 two_ranks.py STUDY OUT
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from toy_training import advance, fresh_run, no_pictures, options_for, pairs_of, settings_with

from brainlapse.errors import Failed, Refused
from brainlapse.train.loop import train as train_loop
from brainlapse.train.ranks import Ranks, joined


def main(study: Path, out: Path) -> None:
    """Write found-RANK.json, and the tensors of each way."""
    with joined() as (ranks, _):
        pairs = pairs_of(options_for(study, out))
        found = {"rank": ranks.rank, "size": ranks.size}
        for family in ("diffusion", "gan", "regression"):
            run = fresh_run(settings_with(family, batch=4), ranks)
            if not ranks.first:  # the first one's weights are to reach the others
                with torch.no_grad():
                    for weight in run.model.parameters():
                        weight.zero_()
            found[family] = advance(run, pairs, 3)
            tensors = {name: tensor.contiguous() for name, tensor in run.tensors().items()}
            save_file(tensors, out / f"{family}-{ranks.rank}.safetensors")
        found["skipped"] = _one_has_a_bad_batch(pairs, ranks)
        found["memory"] = _one_lacks_memory(pairs, ranks)
        found["refusal"] = _all_refuse(ranks)
        (out / f"found-{ranks.rank}.json").write_text(json.dumps(found))


def _one_has_a_bad_batch(pairs, ranks: Ranks) -> list:
    """Whether both skip, and how many different weights there are afterwards."""
    run = fresh_run(settings_with(), ranks)
    advance(run, pairs, 1)
    batch = pairs.batch([0])
    if not ranks.first:
        batch.interval_years[:] = torch.inf
    run.advance([batch])
    weights = sum(weight.detach().double().sum().item() for weight in run.model.parameters())
    return [run.skipped, len(set(ranks.gathered(weights)))]


def _one_lacks_memory(pairs, ranks: Ranks) -> list:
    run = fresh_run(settings_with(), ranks)
    learnt = run.model.loss

    def loss(batch, player):
        return learnt(batch, player) if ranks.first else torch.empty(2**50).sum()

    run.model.loss = loss
    try:
        train_loop(run, pairs, None, None, no_pictures(run, pairs), checkpoint_minutes=10)
    except (Refused, Failed) as error:
        return [type(error).__name__, str(error)]


def _all_refuse(ranks: Ranks) -> str:
    try:
        with ranks.together():
            raise Refused("the file is wrong")
    except Refused:
        return "told"
    except SystemExit as end:
        return f"silent, {end.code}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
