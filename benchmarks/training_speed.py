"""Seconds of a training step and of a sample, on one device, in one run: what layout, compilation, batch and
precision make of them; how far bfloat16 is from float32; and our training against the recipe of Med-DDPM.

The models are rows of config.yaml on the grid asked for: the full one on a GPU, a small one on a CPU. The
volumes are smooth noise; a step's time does not depend on what they show. A cell that fails says how.

    PYTHONPATH=src python benchmarks/training_speed.py --device cpu
    PYTHONPATH=src python benchmarks/training_speed.py --device cuda
"""

import argparse
import contextlib
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "benchmarks")]

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import yaml  # noqa: E402
from measured_on import measured_on  # noqa: E402
from torch import nn  # noqa: E402

from brainlapse.config import complete, train_settings  # noqa: E402
from brainlapse.models import Batch  # noqa: E402
from brainlapse.models.cost import cost_of  # noqa: E402
from brainlapse.models.settings import settings_from  # noqa: E402
from brainlapse.models.stored import Recipe  # noqa: E402
from brainlapse.train.acceleration import compile_networks  # noqa: E402
from brainlapse.train.hardware import half_error  # noqa: E402
from brainlapse.train.memory import is_of_memory  # noqa: E402
from brainlapse.train.pairs import unpacked  # noqa: E402
from brainlapse.train.preflight import bytes_needed  # noqa: E402
from brainlapse.train.run import Run  # noqa: E402
from brainlapse.train.settings import TrainingSettings  # noqa: E402

LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last_3d}
SHAPES = {"cpu": (32, 48, 32), "cuda": (128, 160, 128)}
# At 32×48×32 the coarsest level is two voxels wide, and torch 2.13's CPU kernel for that is wrong in bf16.
NUMERICS_SHAPES = {"cpu": (64, 64, 64), "cuda": (128, 160, 128)}
SECONDS = {"cpu": 4.0, "cuda": 2.0}
SAMPLE_STEPS = (1, 10, 50)
MATRIX_SIDE = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class How:
    """One way to compute a step."""

    precision: str
    compiled: bool = False
    layout: str = "contiguous"
    batch: int = 1

    def __str__(self) -> str:
        return f"{self.precision} | {'compiled' if self.compiled else 'eager'} | {self.layout} | {self.batch}"


@dataclass(frozen=True)
class Bench:
    """Where and how long to measure."""

    device: torch.device
    shape: tuple[int, ...]
    seconds: float
    config: dict
    compiles: bool

    @property
    def compilations(self) -> tuple[bool, ...]:
        """Eager, and compiled if asked for."""
        return (False, True) if self.compiles else (False,)

    def recipe(self, model: str) -> Recipe:
        """A row of config.yaml on the grid of this benchmark."""
        settings = train_settings(self.config, model)
        return Recipe.read(settings | {"grid": settings["grid"] | {"shape": list(self.shape)}})

    def run(self, model: str, how: How) -> Run:
        """A training of the row, computed so, at its beginning."""
        row = train_settings(self.config, model)["training"]
        keys = row | {"batch": how.batch, "accumulate": 1, "precision": how.precision}
        torch.manual_seed(0)
        built = self.recipe(model).build()
        run = Run(built, settings_from(TrainingSettings, keys), 0, self.device)
        run.model.to(memory_format=LAYOUTS[how.layout])
        if how.compiled:
            compile_networks(run.model)
        return run

    def median_seconds(self, work: Callable[[], object], warm_up: int = 2) -> float:
        """Seconds of one call, after the first ones have chosen their kernels and compiled."""
        for _ in range(warm_up):
            work()
        taken, end = [], time.perf_counter() + self.seconds
        while len(taken) < 3 or time.perf_counter() < end:
            began = time.perf_counter()
            work()
            self.wait()
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def main() -> None:
    """Print the tables, each cell as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=list(SHAPES), default="cpu")
    parser.add_argument("--shape", type=int, nargs=3, help="voxels; a multiple of 16 each")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=float, help="how long to measure a cell")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU")
    parser.add_argument(
        "--eager", action="store_true", help="compile nothing: on a CPU that takes minutes a cell"
    )
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("skipped: there is no GPU here")
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    config = complete(yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8")))
    shape = tuple(options.shape or SHAPES[options.device])
    seconds = options.seconds or SECONDS[options.device]
    bench = Bench(torch.device(options.device), shape, seconds, config, not options.eager)
    print(f"{'×'.join(map(str, shape))}; {measured_on(bench.device)}\n", flush=True)
    numerics(replace(bench, shape=tuple(options.shape or NUMERICS_SHAPES[options.device])))
    best = steps(bench, matrix_rate(bench), options.batches)
    against_med_ddpm(bench, best)
    samples(bench)


def matrix_rate(bench: Bench) -> dict[str, float]:
    """FLOP a second of a large square matrix product, by precision."""
    side, rates = MATRIX_SIDE[bench.device.type], {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(side, side, device=bench.device, dtype=kind) for _ in range(2))
        rates[name] = 2 * side**3 / bench.median_seconds(lambda a=a, b=b: a @ b)
    told = ", ".join(f"{name} {rate / 1e12:.3g} TFLOP/s" for name, rate in rates.items())
    print(f"Matrix products of {side}×{side}: {told}\n", flush=True)
    return rates


def steps(bench: Bench, rates: dict[str, float], batches: list[int]) -> How:
    """The table of training steps of `brainlapse`; returns the fastest way at the smallest batch."""
    print("| precision | | layout | batch | s a step | pairs/s | of the matrix rate | memory, GiB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    ways = [
        How(precision, compiled, layout, batches[0])
        for precision in ("fp32", "bf16")
        for compiled in bench.compilations
        for layout in LAYOUTS
    ]
    taken = {how: step_cell(bench, how, rates) for how in ways}
    measured = {how: seconds for how, seconds in taken.items() if seconds}
    for precision in ("fp32", "bf16"):
        of_precision = {how: seconds for how, seconds in measured.items() if how.precision == precision}
        if of_precision:
            fastest = min(of_precision, key=of_precision.get)
            for batch in batches[1:]:
                step_cell(bench, replace(fastest, batch=batch), rates)
    print()
    return min(measured, key=measured.get)


def step_cell(bench: Bench, how: How, rates: dict[str, float]) -> float | None:
    """Measure and print one row; seconds of a step, None if it failed."""
    with told(str(how)) as row:
        seconds = seconds_of_step(bench, "brainlapse", how)
        cost = cost_of(bench.recipe("brainlapse"), how.batch, how.precision)
        share = cost.step_flops / seconds / rates[how.precision]
        if bench.device.type == "cuda":
            memory = f"{torch.cuda.max_memory_allocated(bench.device) / 2**30:.1f}"
        else:
            recipe = bench.recipe("brainlapse")
            counted = bytes_needed(recipe, cost, how.batch, how.precision, bench.device)
            memory = f"{counted / 2**30:.2f} counted"
        row.append(f"{seconds:.3g} | {how.batch / seconds:.3g} | {share:.0%} | {memory}")
        return seconds
    return None


def seconds_of_step(bench: Bench, model: str, how: How) -> float:
    """Seconds of one step of a row of config.yaml: forward, backward, Adam, average."""
    run, batch = bench.run(model, how), packed(bench, how.batch)
    return bench.median_seconds(lambda: run.advance([batch]), warm_up=3)


def against_med_ddpm(bench: Bench, best: How) -> None:
    """Pairs a second of both recipes, each as it is published, and their ratio."""
    print("| recipe | precision | | layout | batch | s a step | pairs/s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    as_published = How("fp32")
    rates = {}
    for model, how in (("med_ddpm", as_published), ("brainlapse", as_published), ("brainlapse", best)):
        with told(f"{model} | {how}") as row:
            seconds = seconds_of_step(bench, model, how)
            rates[model] = how.batch / seconds
            row.append(f"{seconds:.3g} | {rates[model]:.3g}")
    if len(rates) == 2:
        ratio = rates["brainlapse"] / rates["med_ddpm"]
        print(f"\nbrainlapse trains on {ratio:.1f} times as many pairs a second as the Med-DDPM recipe.")
    print()


def samples(bench: Bench) -> None:
    """Seconds of one sample of `brainlapse`; a thousand steps are ten's, by calls."""
    columns = [f"{steps} step(s), s" for steps in SAMPLE_STEPS]
    print(f"| sample, batch 1 | {' | '.join(columns)} | 1000, by calls |")
    print("|---|" + "---|" * (len(SAMPLE_STEPS) + 1), flush=True)
    for how in (How(p, compiled) for p in ("fp32", "bf16") for compiled in bench.compilations):
        with told(f"{how.precision}, {'compiled' if how.compiled else 'eager'}") as row:
            taken = [seconds_of_sample(bench, how, steps) for steps in SAMPLE_STEPS]
            a_step = (taken[-1] - taken[0]) / (SAMPLE_STEPS[-1] - SAMPLE_STEPS[0])
            row += [f"{seconds:.3g}" for seconds in (*taken, taken[0] + 999 * a_step)]
    print()


def seconds_of_sample(bench: Bench, how: How, steps: int) -> float:
    model = bench.run("brainlapse", how).average.eval()
    if how.compiled:
        compile_networks(model)
    return bench.median_seconds(lambda: sampled(bench, model, how.precision, steps))


def sampled(bench: Bench, model: nn.Module, precision: str, steps: int) -> torch.Tensor:
    """A sample for the same made-up person and the same noise each time."""
    batch = unpacked_pairs(bench, 1)
    noise = torch.Generator(bench.device).manual_seed(1)
    autocast = torch.autocast(bench.device.type, torch.bfloat16, enabled=precision == "bf16")
    with torch.no_grad(), autocast:
        return model.generate(
            replace(batch, target=None),
            lambda: torch.randn(batch.source.shape, generator=noise, device=bench.device),
            model.Sampling(steps=steps),
        )


def numerics(bench: Bench) -> None:
    """How far bfloat16 is from float32: a convolution, the loss, its gradient, a sample."""
    sides = "×".join(map(str, bench.shape))
    print(f"| bf16 against fp32, `brainlapse`, {sides}, same weights and noise | difference | bound |")
    print("|---|---|---|", flush=True)
    with told("conv3d and its gradients, worst layer, rms, relative") as row:
        layers = cost_of(bench.recipe("brainlapse"), 1).convolutions
        row.append(f"{max(half_error(layer, 'bf16', bench.device) for layer in layers):.2%} | 1 %")
    model = shaken(bench.run("brainlapse", How("fp32")).model)
    with told("loss, relative") as row:
        (loss, gradient), (loss_half, gradient_half) = (
            with_gradient(bench, model, p) for p in ("fp32", "bf16")
        )
        row.append(f"{abs(loss_half / loss - 1):.2%} | 2 %")
    with told("gradient, norm of the difference, relative") as row:
        row.append(f"{((gradient_half - gradient).norm() / gradient.norm()).item():.2%} | 10 %")
    for steps in (1, 4):
        with told(f"sample of {steps} step(s), rms in [-1, 1]") as row:
            whole, half = (sampled(bench, model, precision, steps) for precision in ("fp32", "bf16"))
            row.append(f"{(half - whole).square().mean().sqrt().item():.5f} | 0.01")
    print(flush=True)


def shaken(model: nn.Module) -> nn.Module:
    """With weights where an untrained network has zeros, or it would say the same in any precision."""
    torch.manual_seed(2)
    with torch.no_grad():
        model.usual.sd.fill_(0.1)  # about as far as two scans of a person are apart
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    return model


def with_gradient(bench: Bench, model: nn.Module, precision: str) -> tuple[float, torch.Tensor]:
    """Loss and its gradient as one long vector, the same random draws each time."""
    model.zero_grad()
    torch.manual_seed(3)
    with torch.autocast(bench.device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = model.loss(unpacked_pairs(bench, 1), "network")
    loss.backward()
    return loss.item(), torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def packed(bench: Bench, batch: int) -> Batch:
    """Pairs as the loader hands them over, already on the device, as a prefetching loop has them."""
    generator = torch.Generator().manual_seed(batch)
    # Smooth, as brains are: what moving white noise gives would hang on the last digit of the displacement.
    coarse = torch.rand(2 * batch, 1, *(side // 8 for side in bench.shape), generator=generator)
    volumes = F.interpolate(coarse, size=bench.shape, mode="trilinear")
    source, target = (255 * volumes).to(torch.uint8).unflatten(0, (2, batch)).to(bench.device)
    facts = {name: torch.zeros(batch) for name in ("age", "sex", "diagnosis")}
    return Batch(source, torch.ones(batch), target, facts)


def unpacked_pairs(bench: Bench, batch: int) -> Batch:
    """The same, as volumes in [-1, 1]."""
    return unpacked(packed(bench, batch), bench.device)


@contextlib.contextmanager
def told(name: str) -> Iterator[list[str]]:
    """A row of a table, printed when it is done or has failed; then the memory is free for the next."""
    row: list[str] = []
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        yield row
    except Exception as error:
        row.append("out of memory" if is_of_memory(error) else f"failed: {type(error).__name__}")
        print(f"{name}: {error}", file=sys.stderr)
    print(f"| {name} | " + " | ".join(row) + " |", flush=True)
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
