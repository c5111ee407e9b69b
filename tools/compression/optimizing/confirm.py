"""What was picked beside the original, once, on what the search has not seen; and its bundle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from models.bundle import load_bundle, write_bundle
from models.manifest import Fallback
from models.weights import WEIGHTS, unpack
from pipeline.errors import BundleError
from tools.compression.eager import eager_hop
from tools.compression.optimizing.report import EAGER, RUNTIME, SCRATCH, Confirmation, Row
from tools.compression.optimizing.steps import Recoder, rounded
from tools.compression.optimizing.verdict import refusal
from tools.compression.optimizing.walk import INT8, PRUNED, TRAINED
from tools.compression.race import race
from tools.compression.sizes import model_bytes
from tools.console.command import command
from tools.host.footprint import measure_footprint

if TYPE_CHECKING:
    from pathlib import Path

    from models.bundle import Bundle
    from tools.compression.exam import Exam
    from tools.compression.ground import Ground
    from tools.compression.guard import Claim
    from tools.compression.optimizing.asked import Asked
    from tools.compression.optimizing.choice import Kept
    from tools.compression.optimizing.report import OptimizeReport
    from tools.compression.optimizing.walk import Walker
    from tools.compression.pruning.prunable import Prunable
    from tools.compression.race import Race

README = """
## Optimized

Made of the bundle `{name}` whose manifest has the digest `{parent}`, which stays its fallback.
Steps: {steps}. Confirmed on {n_texts} texts or trials that the search had not seen: {said}. Nothing
else that was said of that bundle's errors holds of this one.
"""


class Confirming:
    """The last part of an optimisation.

    Args:
        asked: for.
        parent: the original.
        unseen: what the search has not seen.
        walker: knows where the steps' bundles are.
        prunable: the original, where its network is known.
        picked: of all that was kept.

    Raises:
        BundleError: nothing tells errors.
    """

    def __init__(
        self,
        asked: Asked,
        parent: Bundle,
        unseen: Ground,
        walker: Walker,
        prunable: Prunable | None,
        picked: Kept,
    ) -> None:
        exam = unseen.exam()
        if exam is None:
            raise BundleError(f"{asked.bundle}: nothing tells its errors")
        self._exam: Exam = exam
        self._asked, self._parent, self._unseen = asked, parent, unseen
        self._walker, self._prunable, self._picked = walker, prunable, picked
        amounts = picked.walk.amounts
        self._steps = {f"+ {step.name}": walker.path(amounts, step.name) for step in picked.chain}
        self._last = list(self._steps)[-1]

    def run(self, report: OptimizeReport) -> OptimizeReport:
        """Return the report with what was found; the bundle is written where it is confirmed."""
        asked, exam, name = self._asked, self._exam, self._picked.name
        exam.hear({RUNTIME: asked.bundle, name: self._steps[self._last]})
        scratch = self._scratch() if asked.is_scratch and PRUNED in self._names else {}
        raced = self._raced(scratch)
        loss, errors = exam.loss(name, most=asked.max_drop), exam.errors(name)
        found = Confirmation(
            n_texts=exam.n_texts,
            error=errors.cer,
            error_before=errors.cer - errors.more,
            loss=loss,
            speed=raced.speed(self._last, against=RUNTIME),
        )
        refused = self._refused(found)
        bought = None
        if scratch and self._prunable is not None:
            exam.hear(scratch)
            more = exam.more(SCRATCH, name)
            bought = (more.estimate, more.low, more.high)
            notes = [self._prunable.scratch_said()]
            if TRAINED in self._names:
                notes.append("Then its weights were rounded in training, as long as the other's.")
            report = replace(report, notes=(*report.notes, *notes))
        return replace(
            report,
            picked=name,
            confirmation=found,
            rows=self._rows(raced, scratch),
            bought=bought,
            refused=refused,
            sha256=None if refused else self._write(found),
        )

    @property
    def _names(self) -> list[str]:
        return [step.name for step in self._picked.chain]

    def _refused(self, found: Confirmation) -> str | None:
        """Return why it is not confirmed, None where it is."""
        claims = {step.claim for step in self._picked.chain}
        claim: Claim = "faster" if "faster" in claims else "smaller"
        speed, p99_ms = found.speed, self._asked.p99_ms
        refused = refusal(found.loss, {"the original": speed}, claim, unit=self._exam.unit)
        if refused is not None:
            return refused
        if p99_ms is not None and speed.p99_ms > p99_ms:
            return f"p99 {speed.p99_ms:.3g} ms now: wanted at most {p99_ms:g}"
        return None

    def _scratch(self) -> dict[str, Path]:
        """Return a bundle of the picked one's size, trained from nothing, stored as that one is."""
        amounts, prunable = self._picked.walk.amounts, self._prunable
        if prunable is None:
            return {}
        name = f"scratch {self._picked.walk.key}"
        pruned = unpack(load_bundle(self._walker.path(amounts, PRUNED)))
        fresh = prunable.from_scratch(pruned, name=name)
        path = self._walker.path(amounts, "scratch")
        write_bundle(path, *prunable.made(path.stem, fresh))
        last = self._picked.step.name
        if last == PRUNED:
            return {SCRATCH: path}
        bundle, ground = load_bundle(path), self._unseen
        recoder = Recoder(bundle, ground)
        if TRAINED in self._names:
            name = f"{name}-{TRAINED}"
            recoder = rounded(bundle, ground, prunable, name=name, is_taught=False)
        stored = self._walker.path(amounts, f"scratch-{last}")
        write_bundle(stored, *recoder.made(INT8 if last == TRAINED else last))
        return {SCRATCH: stored}

    def _raced(self, scratch: dict[str, Path]) -> Race:
        parent, others = self._parent, {}
        if WEIGHTS in parent.files:
            others[EAGER] = eager_hop(unpack(parent), parent.manifest.step)
        return race(
            {RUNTIME: self._asked.bundle, **self._steps, **scratch},
            self._unseen.windows(),
            n_blocks=self._asked.n_blocks,
            n_windows=self._asked.n_windows,
            others=others,
        )

    def _rows(self, raced: Race, scratch: dict[str, Path]) -> tuple[Row, ...]:
        """Return torch, where the network is known, the runtime, and each step's bundle."""
        losses = {
            f"+ {step.name}": step.figures.loss for step in self._picked.chain if step.figures
        }
        paths = {RUNTIME: self._asked.bundle, **self._steps, **scratch}
        first, found = RUNTIME, []
        if EAGER in raced.names:
            first, paths = EAGER, {EAGER: self._asked.bundle, **paths}
        for name, path in paths.items():
            found.append(
                Row(
                    name=name,
                    size_bytes=model_bytes(load_bundle(path)),
                    bundle_bytes=path.stat().st_size if path.is_file() else None,
                    memory=measure_footprint(path, "torch" if name == EAGER else "model"),
                    speed=raced.speed(name, against=first),
                    loss=losses.get(name),
                )
            )
        return tuple(found)

    def _write(self, found: Confirmation) -> str:
        """Write the bundle; return its digest."""
        asked, parent = self._asked, self._parent
        bundle = load_bundle(self._steps[self._last])
        before = bundle.manifest
        files = dict(bundle.files)
        files["README.md"] = (
            parent.files.get("README.md", b"").decode("utf-8", "replace").split("\n## ")[0]
            + README.format(
                name=parent.manifest.name,
                parent=parent.sha256,
                steps=", ".join(self._picked.steps),
                n_texts=found.n_texts,
                said=found.loss.said(self._exam.unit),
            )
        ).encode()
        manifest = replace(
            before,
            name=asked.out.stem,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            provenance=replace(
                before.provenance,
                command=command(),
                parent=parent.sha256,
            ),
            optimisation=replace(
                before.optimisation,
                size_bytes=model_bytes(bundle),
                latency_ms={
                    "p50": round(found.speed.p50_ms, 4),
                    "p99": round(found.speed.p99_ms, 4),
                },
                steps=tuple(self._picked.steps),
                fallback=Fallback(name=parent.manifest.name, sha256=parent.sha256),
            ),
        )
        return write_bundle(asked.out, manifest, files)
