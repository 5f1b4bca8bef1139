"""When a member is left alone: the circuit against a plain account of what was told to it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cscale.net.calling.circuit import Circuit, State

FAILURES, PAUSE, LONGEST = 3, 5.0, 300.0


class CircuitMachine(RuleBasedStateMachine):
    """Requests begin and end in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.chance = 0.0
        self.circuit = Circuit(
            failures=FAILURES,
            pause=PAUSE,
            longest=LONGEST,
            clock=lambda: self.now,
            chance=lambda: self.chance,
        )
        self.running: list[tuple[int, int]] = []  # ticket, and the era it began in
        self.era = 0  # grows whenever the account says that the state changes
        self.state = State.closed
        self.row = 0
        self.tries = 0
        self.opened = 0.0
        self.earliest = self.latest = 0.0  # when it is tried again

    @rule(seconds=st.one_of(st.floats(0, 10), st.floats(0, 400)), chance=st.floats(0, 0.999))
    def time_passes(self, seconds: float, chance: float) -> None:
        self.now += seconds
        self.chance = chance

    @rule()
    def someone_asks(self) -> None:
        refusal = self.circuit.refusal()
        if self.state is State.closed:
            assert refusal is None
        elif self.state is State.half_open:
            assert refusal is not None
            assert refusal.again_in == 0
        elif self.now < self.earliest:
            assert refusal is not None
            assert self.earliest - self.now - 1e-6 <= refusal.again_in <= self.latest - self.now + 1e-6
        elif self.now >= self.latest:
            assert refusal is None
        if refusal is not None:
            assert refusal.since == pytest.approx(self.now - self.opened)
            assert refusal.failures >= FAILURES
            assert refusal.reason.startswith("because")
            return
        ticket = self.circuit.enter()
        if self.state is State.open:
            self._becomes(State.half_open)
        self.running.append((ticket, self.era))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def one_is_answered(self, data: st.DataObject) -> None:
        ticket, era = self._one(data)
        self.circuit.succeeded(ticket)
        if era == self.era:
            self.row = 0
            if self.state is State.half_open:
                self._becomes(State.closed)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), told=st.sampled_from([0.0, 0.0, 7.0, 1e6]))
    def one_fails(self, data: st.DataObject, told: float) -> None:
        ticket, era = self._one(data)
        self.circuit.failed(ticket, f"because of {ticket}", at_least=told)
        if era != self.era:
            return
        self.row += 1
        if self.state is State.half_open:
            self.tries += 1
            self._opens(told)
        elif self.row >= FAILURES:
            self.tries, self.opened = 0, self.now
            self._opens(told)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def one_is_given_up(self, data: st.DataObject) -> None:
        ticket, era = self._one(data)
        self.circuit.abandoned(ticket)
        if era == self.era and self.state is State.half_open:
            self._becomes(State.open)
            self.earliest = self.latest = self.now

    @invariant()
    def the_states_agree(self) -> None:
        assert self.circuit.state is self.state

    @invariant()
    def at_most_one_tries(self) -> None:
        current = [each for each in self.running if each[1] == self.era]
        assert self.state is State.closed or len(current) == (self.state is State.half_open)

    def _one(self, data: st.DataObject) -> tuple[int, int]:
        return self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))

    def _becomes(self, state: State) -> None:
        self.state = state
        self.era += 1

    def _opens(self, told: float) -> None:
        pause, least = min(PAUSE * 2**self.tries, LONGEST), min(told, LONGEST)
        self.earliest = self.now + max(pause * 0.8, least)
        self.latest = self.now + max(pause, least)
        self._becomes(State.open)


CircuitMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestCircuit = CircuitMachine.TestCase


def test_pauses_grow_to_five_minutes_and_start_anew_after_an_answer() -> None:
    now = 0.0
    circuit = Circuit(clock=lambda: now, chance=lambda: 0.0)
    for _ in range(3):
        assert circuit.state is State.closed
        circuit.failed(circuit.enter(), "away")
    pauses = []
    for _ in range(9):
        refusal = circuit.refusal()
        assert refusal is not None
        pauses.append(refusal.again_in)
        now += refusal.again_in
        circuit.failed(circuit.enter(), "away")
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    now += 300
    circuit.succeeded(circuit.enter())
    for _ in range(3):
        circuit.failed(circuit.enter(), "away")
    refusal = circuit.refusal()
    assert refusal is not None
    assert (refusal.again_in, refusal.since) == (5, 0)


def test_answers_between_failures_keep_it_closed() -> None:
    circuit = Circuit()
    for _ in range(20):
        circuit.failed(circuit.enter(), "away")
        circuit.failed(circuit.enter(), "away")
        circuit.succeeded(circuit.enter())
    assert circuit.state is State.closed
