"""Which shapes of a text layout a sample of records shows, so that the bulk reader need be made for no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kyumei.layouts.text_shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kyumei.layouts.text import Text


class Gate(NamedTuple):
    """Shapes that no record of the sample has: a record that one of them fits is for the exact reader."""

    shapes: tuple[Shape, ...]


class Chosen(NamedTuple):
    """The shapes that are left, in their order, and between them the gates: the first that fits decides."""

    steps: tuple[Shape | Gate, ...]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes alone."""
        return tuple(step for step in self.steps if isinstance(step, Shape))


def everything(shapes: Sequence[Shape]) -> Chosen:
    """All shapes: what is chosen without a sample."""
    return Chosen(tuple(shapes))


def choices(layout: Text, sample: Iterable[str]) -> tuple[Chosen, ...]:
    """What the sample shows of the layout's shapes, then of each look's; nothing left out where it shows no record at all."""
    stages = [layout.shapes, *(look.shapes for look in layout.looks)]
    seen: list[set[int]] = [set() for _ in stages]
    for text in sample:
        # A record that is refused has no shapes.
        for stage, shape, found in zip(stages, layout.follow(text)[1], seen, strict=False):
            if shape is not None:
                found.add(next(number for number, known in enumerate(stage) if known is shape))
    if not seen[0]:
        return tuple(map(everything, stages))
    opening, *looks = (_chosen(stage, found) for stage, found in zip(stages, seen, strict=True))
    # A record without a known opening is for the exact reader anyhow.
    return Chosen(opening.steps[:-1] if isinstance(opening.steps[-1], Gate) else opening.steps), *looks


def _chosen(shapes: Sequence[Shape], seen: set[int]) -> Chosen:
    steps: list[Shape | Gate] = []
    for number, shape in enumerate(shapes):
        if number in seen:
            steps.append(shape)
        elif steps and isinstance(last := steps[-1], Gate) and not (shape.last or last.shapes[-1].last):
            steps[-1] = last._replace(shapes=(*last.shapes, shape))
        else:
            steps.append(Gate((shape,)))
    return Chosen(tuple(steps))
