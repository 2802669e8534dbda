"""Effective conductances against direct solutions of Kirchhoff's laws."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sim.devices.ir_drop import IrDrop, solved_tile, transfer


def column_currents(g_S: np.ndarray, wire_ohm: float, v_V: np.ndarray) -> np.ndarray:
    """Currents into the ADCs, ampere [M]; see `solution`."""
    return solution(g_S, wire_ohm, v_V)[0]


def solution(g_S: np.ndarray, wire_ohm: float, v_V: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Of `potentials`: [R, M] cells, row voltages [R] -> currents into the ADCs [M], ampere; the power that cells and
    wires dissipate, resistor by resistor; the power that the drivers give, watt.
    """
    wire = 1.0 / wire_ohm
    rows_V, columns_V = potentials(g_S, wire_ohm, v_V)
    left = np.column_stack([v_V, rows_V[:, :-1]])
    below = np.vstack([columns_V[1:], np.zeros(g_S.shape[1])])
    lost = (g_S * (rows_V - columns_V) ** 2).sum() + wire * ((left - rows_V) ** 2 + (columns_V - below) ** 2).sum()
    given = (v_V * wire * (v_V - rows_V[:, 0])).sum()
    return columns_V[-1] * wire, float(lost), float(given)


def potentials(g_S: np.ndarray, wire_ohm: float, v_V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Node by node with a dense matrix: [R, M] cells, row voltages [R] -> potentials of the row wires and of the column
    wires at the cells, volts [R, M] each.

    Written apart from `sim.devices.ir_drop`: potentials of drivers (row voltages) and ADCs (0 V) are boundary
    conditions.
    """
    rows, columns = g_S.shape
    wire = 1.0 / wire_ohm
    names = [(side, r, c) for side in "rc" for r in range(rows) for c in range(columns)]
    number = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)))
    right = np.zeros(len(names))

    def connect(a: tuple, b: tuple | float, g: float) -> None:
        i = number[a]
        matrix[i, i] += g
        if isinstance(b, tuple):
            j = number[b]
            matrix[j, j] += g
            matrix[i, j] -= g
            matrix[j, i] -= g
        else:
            right[i] += g * b

    for r in range(rows):
        for c in range(columns):
            connect(("r", r, c), ("c", r, c), g_S[r, c])
            connect(("r", r, c), ("r", r, c - 1) if c > 0 else float(v_V[r]), wire)
            connect(("c", r, c), ("c", r + 1, c) if r < rows - 1 else 0.0, wire)
    found = np.linalg.solve(matrix, right).reshape(2, rows, columns)
    return found[0], found[1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (5, 8), (12, 6)])
@pytest.mark.parametrize("wire_ohm", [0.5, 20.0, 5000.0])
def test_against_direct_solution(shape: tuple[int, int], wire_ohm: float) -> None:
    rng = np.random.default_rng(3)
    g_S = rng.uniform(1e-6, 1e-4, shape)
    effective = transfer(g_S, wire_ohm)
    for _ in range(4):
        v_V = 0.2 * rng.integers(0, 2, shape[0])
        v_V[0] = 0.2
        direct = column_currents(g_S, wire_ohm, v_V)
        np.testing.assert_allclose(v_V @ effective, direct, rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (5, 8), (12, 6)])
@pytest.mark.parametrize("wire_ohm", [0.5, 20.0, 5000.0])
def test_power_of_the_drivers_is_what_cells_and_wires_dissipate(shape: tuple[int, int], wire_ohm: float) -> None:
    """Rows on or off, and at any voltage between."""
    rng = np.random.default_rng(5)
    g_S = rng.uniform(1e-6, 1e-4, shape)
    effective, coupling = solved_tile(g_S, wire_ohm)
    assert np.all(coupling >= 0.0) and np.array_equal(coupling, coupling.T) and not np.diag(coupling).any()
    for v_V in (0.2 * rng.integers(0, 2, (4, shape[0])), 0.2 / 255 * rng.integers(0, 256, (4, shape[0]))):
        for volts in v_V:
            volts[0] = 0.2
            _, lost, given = solution(g_S, wire_ohm, volts)
            apart = (volts[:, None] - volts) ** 2
            power = volts**2 @ effective.sum(axis=1) + (coupling * apart).sum() / 2
            np.testing.assert_allclose(power, lost, rtol=1e-9)
            np.testing.assert_allclose(power, given, rtol=1e-6)  # by differences of nearly equal potentials


def test_two_by_two_by_hand() -> None:
    """One cell alone is three conductors in series; of a 2 x 1 column, solved by hand."""
    assert transfer(np.array([[1e-3]]), 100.0)[0, 0] == pytest.approx(1 / (100 + 1000 + 100))
    # Column of two cells of 1 kOhm, wires of 1 kOhm, upper row at 1 V, lower at 0 V. Upper branch: driver 1k + cell 1k
    # + wire 1k = 3k to node x; lower: cell 1k + driver 1k = 2k from x to 0 V; x to the ADC 1k.
    # V_x = (1/3) / (1/3 + 1/2 + 1) = 2/11 V, current 2/11 mA. Lower row at 1 V: V_x = (1/2) / (11/6) = 3/11 V.
    np.testing.assert_allclose(transfer(np.full((2, 1), 1e-3), 1e3)[:, 0], [2 / 11 * 1e-3, 3 / 11 * 1e-3], rtol=1e-12)
    # A row of two cells, all of 1 kOhm: first row node a: (1 - a) = a/2 + (a - b), b: (a - b) = b/2, so b = 2a/3 and
    # a = 6/11; columns get a/2 and b/2.
    np.testing.assert_allclose(transfer(np.full((1, 2), 1e-3), 1e3)[0], [3 / 11 * 1e-3, 2 / 11 * 1e-3], rtol=1e-12)


def test_two_by_two() -> None:
    g_S = np.array([[1e-3, 2e-3], [3e-3, 4e-3]])
    effective = transfer(g_S, 100.0)
    np.testing.assert_allclose(effective[0], column_currents(g_S, 100.0, np.array([1.0, 0.0])), rtol=1e-12)
    np.testing.assert_allclose(effective[1], column_currents(g_S, 100.0, np.array([0.0, 1.0])), rtol=1e-12)


def test_rows_and_columns_are_not_swapped() -> None:
    """Equal cells: the best is at the driver and at the ADC (lower left), the worst at the upper right."""
    effective = transfer(np.full((6, 6), 1e-4), 50.0)
    assert np.all(np.diff(effective, axis=1) < 0), "current falls away from the driver at the left"
    assert np.all(np.diff(effective, axis=0) > 0), "current grows towards the ADC at the bottom"


def test_no_resistance_is_identity_and_little_is_close() -> None:
    g_S = np.random.default_rng(0).uniform(1e-6, 1e-5, (9, 4))
    assert np.array_equal(transfer(g_S, 0.0), g_S)
    np.testing.assert_allclose(transfer(g_S, 1e-6), g_S, rtol=1e-8)


def test_layer_is_cut_into_tiles_with_p_and_n_side_by_side() -> None:
    rng = np.random.default_rng(1)
    g_S = rng.uniform(1e-6, 1e-4, (2, 7, 5))
    calls = []
    out = IrDrop(30.0, 4, 3, lambda done, total: calls.append((done, total))).apply(g_S, None)
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for rows in (slice(0, 4), slice(4, 7)):
        for columns in (slice(0, 3), slice(3, 5)):
            p, n = g_S[:, rows, columns]
            physical = np.empty((p.shape[0], 2 * p.shape[1]))
            physical[:, 0::2], physical[:, 1::2] = p, n
            effective = transfer(physical, 30.0)
            np.testing.assert_allclose(out[0, rows, columns], effective[:, 0::2], rtol=1e-12)
            np.testing.assert_allclose(out[1, rows, columns], effective[:, 1::2], rtol=1e-12)
