"""The plan of the kill matrix: complete, the same for ever from one seed, and what words name which cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from demo.kills.plan import STEPS, Cell, Victim, blow, matrix, read_cells
from demo.kills.stories import STORIES
from demo.tour.steps import STORY

CELLS = some.sampled_from(matrix())
SEEDS = some.integers()


def test_every_part_dies_in_every_step_of_the_tour() -> None:
    assert set(matrix()) == {Cell(victim, number) for victim in Victim for number in range(1, len(STEPS) + 1)}
    assert len(matrix()) == len(set(matrix()))
    assert len(STEPS) == len(STORIES) == len(STORY) + 1, "the last one is the matrix's own"


@given(CELLS, SEEDS)
def test_a_blow_falls_within_a_moment_of_its_step_on_a_machine_of_its_step(cell: Cell, seed: int) -> None:
    drawn = blow(cell, seed)
    spans = {moment.name: moment.span for moment in cell.step.moments}
    assert 0.0 <= drawn.delay <= spans[drawn.moment]
    assert drawn.victim is cell.victim
    if cell.victim in (Victim.PUSH, Victim.SYNAPSE):
        assert drawn.person == ""
    else:
        assert drawn.person in cell.step.people


@given(CELLS, SEEDS)
def test_a_seed_draws_the_same_whenever_it_is_asked(cell: Cell, seed: int) -> None:
    assert blow(cell, seed) == blow(cell, seed)


@given(CELLS)
def test_some_seed_draws_each_moment_of_a_step(cell: Cell) -> None:
    assert {blow(cell, seed).moment for seed in range(200)} == {moment.name for moment in cell.step.moments}


@given(SEEDS)
def test_only_who_comes_back_by_itself_is_not_started_again_by_the_matrix(seed: int) -> None:
    for cell in matrix():
        comes_back = cell.victim in (Victim.DESK, Victim.LOBBY)
        assert (blow(cell, seed).away == 0.0) is comes_back


def test_cells_are_named_by_victim_by_step_and_by_both() -> None:
    assert read_cells([]) == matrix()
    assert read_cells(["desk:3"]) == (Cell(Victim.DESK, 3),)
    assert read_cells(["3"]) == tuple(Cell(victim, 3) for victim in Victim)
    assert read_cells(["lobby"]) == tuple(Cell(Victim.LOBBY, number) for number in range(1, 9))
    assert read_cells(["push:2", "desk:1", "push:2"]) == (Cell(Victim.DESK, 1), Cell(Victim.PUSH, 2))


@pytest.mark.parametrize("word", ["", ":", "9", "0", "desk:9", "desk:0", "cat", "cat:1", "desk:x", "3:desk", "１"])
def test_a_word_that_names_no_cell_is_refused_by_name(word: str) -> None:
    with pytest.raises(ValueError, match="is no cell"):
        read_cells([word])


@given(CELLS)
def test_a_cell_is_found_by_the_words_it_is_printed_with(cell: Cell) -> None:
    assert read_cells([str(cell)]) == (cell,)


@given(some.text())
def test_any_other_word_is_refused_in_a_sentence(word: str) -> None:
    try:
        read_cells([word])
    except ValueError as refusal:
        assert repr(word) in str(refusal)
