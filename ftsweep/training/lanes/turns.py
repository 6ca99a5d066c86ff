"""A turn: the gradient of one step of every lane, from passes that they share.

Nothing that happens in a pass ends a trial. A lane for which it fails, by its own fault or another's, is put back to
where the step began, and takes it alone: with the same numbers, or with the error that is its own.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftsweep.evaluation.batch import Batch, to_device
from ftsweep.models.device import is_out_of_memory
from ftsweep.training.lanes.conductor import BodyInputs, Conductor, Gradients, NoLaneError
from ftsweep.training.lanes.lane import Lane

_LOGGER = logging.getLogger(__name__)


@dataclass
class _Step:
    """The next step of a lane."""

    lane: Lane
    shape: tuple[int, int]
    """Rows and length, padded, of its largest micro-batch."""
    batches: Sequence[Batch] = ()
    num_units: int = 1
    alone: Gradients | None = None
    """The gradient of the step taken alone, while shared ones are still checked."""
    has_failed: bool = False


def share_gradients(lanes: Sequence[Lane], conductor: Conductor) -> None:
    """Leave in these lanes' weights the gradient of their next step (`Stepper.has_gradient`); some may be left as they
    are, to do it alone.
    """
    steps = [each for each in (_next_step(lane, conductor.min_tokens) for lane in lanes) if each is not None]
    for group in groups(steps, conductor):
        _share(group, conductor)


def groups(steps: Sequence[_Step], conductor: Conductor) -> Iterator[list[_Step]]:
    """Lanes whose batches go through the body together: of like size, as many as fit; one by itself gains nothing."""
    group: list[_Step] = []
    for each in sorted(steps, key=lambda step: (math.prod(step.shape), step.shape)):
        tokens = conductor.num_tokens([other.shape for other in [*group, each]])
        if tokens is None or tokens > conductor.tokens_per_pass:
            if len(group) > 1:
                yield group
            group = []
        group.append(each)
    if len(group) > 1:
        yield group


def _next_step(lane: Lane, min_tokens: int) -> _Step | None:
    """None where the lane has to do it alone."""
    if lane.refusal is not None:
        return None
    shapes = lane.stepper.micro_batch_shapes()
    return None if min(map(math.prod, shapes)) < min_tokens else _Step(lane, max(shapes, key=math.prod))


def _share(group: list[_Step], conductor: Conductor) -> None:
    started = time.monotonic()
    for each in group:
        each.lane.begin()
        _take_alone(each)
        _draw(each)
    alone_seconds = time.monotonic() - started
    try:
        for number in range(max(len(each.batches) for each in group)):
            _pass([each for each in group if number < len(each.batches) and not each.has_failed], number, conductor)
        for each in group:
            if not each.has_failed:
                each.lane.stepper.regularisers.add_gradients()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whose it is shows when each takes the step alone
        _give_up(group, conductor, error)
    for each in group:
        _settle(each, conductor)
    seconds, total = time.monotonic() - started - alone_seconds, sum(math.prod(each.shape) for each in group)
    for each in group:
        own = seconds * math.prod(each.shape) / total
        each.lane.stepper.train_seconds += own + alone_seconds / len(group)


def _draw(each: _Step) -> None:
    stepper = each.lane.stepper
    try:
        each.batches, each.num_units = stepper.micro_batches(stepper.plan.indices(stepper.num_steps))
    except (Exception, SystemExit):  # noqa: BLE001 - it comes again alone, and is told there
        each.has_failed = True


def _take_alone(each: _Step) -> None:
    """Of a lane that has shared few steps yet: the gradient as it comes alone, and everything as it was."""
    lane = each.lane
    if lane.is_checked:
        return
    try:
        lane.stepper.add_gradients(lane.stepper.plan.indices(lane.stepper.num_steps))
        each.alone = lane.gradients()
    except (Exception, SystemExit):  # noqa: BLE001 - it comes again alone, and is told there
        each.has_failed = True
    lane.reset()


def _pass(group: Sequence[_Step], number: int, conductor: Conductor) -> None:
    """Add the gradient of micro-batch `number` of every lane."""
    inputs: list[BodyInputs] = []
    batches: list[Batch] = []
    ready: list[_Step] = []
    for each in group:
        try:
            batch = to_device(each.batches[number], each.lane.stepper.evaluator.device)
            inputs.append(each.lane.body_inputs(batch))
            batches.append(batch)
            ready.append(each)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it comes again alone, and is told there
            _fail(each, error)
    if not ready:
        return
    shared = conductor.forward([each.lane for each in ready], inputs)
    gradients: Gradients = []
    for each, batch, states in zip(ready, batches, shared.hidden, strict=True):
        try:
            gradients.append(each.lane.add_gradient(batch, each.num_units, states))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it comes again alone, and is told there
            gradients.append(None)
            _fail(each, error)
    shared.backward(gradients)


def _fail(each: _Step, error: BaseException) -> None:
    """After an error in a lane's own part; one that is out of memory is of all."""
    if is_out_of_memory(error):
        raise error
    each.has_failed = True
    _LOGGER.debug("a lane's own part of a shared pass", exc_info=error)
    _blame(each.lane, error)


def _blame(lane: Lane, error: BaseException) -> None:
    """After an error in a pass that the lane was in.

    Where it was that of a lane that cannot go on alone either, the next pass of the others goes well: they share no
    more after a second one that does not.
    """
    is_told = isinstance(error, NoLaneError)
    reason = str(error) if is_told else f"a shared pass failed: {type(error).__name__}: {error}".splitlines()[0]
    if is_told or lane.has_failed:
        lane.refusal = reason
    lane.has_failed = True
    _LOGGER.warning("%s takes %s alone: %s", lane.name, "its steps" if lane.refusal else "a step", reason)


def _give_up(group: Sequence[_Step], conductor: Conductor, error: BaseException) -> None:
    """After an error in what is shared: all lanes do the step alone, and what comes is shared by fewer, or by none."""
    for each in group:
        each.has_failed = True
    if is_out_of_memory(error):
        conductor.tokens_per_pass //= 2
        _LOGGER.warning("a shared pass ran out of memory: %d tokens in one from now on", conductor.tokens_per_pass)
        return
    _LOGGER.debug("a shared pass", exc_info=error)
    for each in group:
        _blame(each.lane, error)


def _settle(each: _Step, conductor: Conductor) -> None:
    """Have the stepper use the gradient, if it is the one that the lane comes to alone."""
    lane = each.lane
    if each.alone is not None and not each.has_failed:
        try:
            lane.refusal = conductor.doubt(each.alone, lane.gradients())
        except (RuntimeError, MemoryError) as error:  # there may be no room for two gradients
            _give_up([each], conductor, error)
    if each.has_failed or lane.refusal is not None:
        lane.reset()
        return
    lane.stepper.has_gradient = True
    lane.has_failed = False
    lane.num_shared += 1
    lane.stepper.num_shared += 1
