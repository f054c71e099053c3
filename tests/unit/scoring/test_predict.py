from __future__ import annotations

import pytest

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.scoring.predict import Argument, Parameter, has_star, place_arguments

INPUTS = (Parameter("hour", "BIGINT", False), Parameter("carrier", "STRING", False), Parameter("delay", "DOUBLE", True))


def given(text: str) -> list[Argument]:
    """`7 carrier=UA @origin delay=@late`: a value, a named one, a column, a column by name."""
    arguments = []
    for word in text.split():
        name, _, value = word.rpartition("=")
        arguments.append(Argument(name or None, value[1:] if value.startswith("@") else None, "INT"))
    return arguments


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("7 UA 1.5", {"hour": 0, "carrier": 1, "delay": 2}),
        ("7 UA", {"hour": 0, "carrier": 1}),
        ("carrier=UA hour=7", {"hour": 1, "carrier": 0}),
        ("7 delay=1 CARRIER=UA", {"hour": 0, "delay": 1, "carrier": 2}),
        ("@h @c @d", {"hour": 0, "carrier": 1, "delay": 2}),
        ("@Hour carrier=@hour", {"hour": 0, "carrier": 1}),
        ("hour=@delay carrier=@hour", {"hour": 0, "carrier": 1}),
    ],
)
def test_arguments_by_position_and_name(call: str, expected: dict[str, int]) -> None:
    assert place_arguments("m", INPUTS, given(call), star=False) == expected


def test_a_star_takes_each_input_from_the_column_of_its_name() -> None:
    columns = given("@delay @extra @CARRIER @hour")
    assert place_arguments("m", INPUTS, columns, star=True) == {"hour": 3, "carrier": 2, "delay": 0}


@pytest.mark.parametrize(
    ("call", "star", "message"),
    [
        ("7", False, "predict\\('m', …\\) lacks carrier"),
        ("7 UA 1 2", False, "4 arguments are given, 3 are taken"),
        ("7 carier=UA", False, "unknown input 'carier'(.|\n)*did you mean: carrier"),
        ("7 hour=8 carrier=UA", False, "'hour' is given twice"),
        ("@delay UA", False, "column 'delay' stands in the place of input 'hour'(.|\n)*delay => delay, or"),
        ("@hour @carrier", True, "no column 'delay'"),
        ("@hour @carier @delay", True, "no column 'carrier'(.|\n)*did you mean: carier"),
        ("@hour @carrier @delay @hour", True, "2 columns 'hour'"),
        ("@hour @carrier delay=1", True, "a star stands alone"),
        ("@hour @carrier @delay 1", True, "a star stands alone"),
    ],
)
def test_refuses(call: str, star: bool, message: str) -> None:
    with pytest.raises((InvalidRequestError, UnknownNameError), match=message) as caught:
        place_arguments("m", INPUTS, given(call), star=star)
    assert caught.value.where == "m(hour BIGINT, carrier STRING, delay DOUBLE = NULL)"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("predict('m', *)", True),
        ("Predict ( 'm' , f . * )", True),
        ("predict('m', a * 2)", False),
        ("predict('m', count(*))", False),
        ("predict('m', struct(f.*))", False),
        ("predict('m', '*', (a), 2 * (3))", False),
        ("", False),
    ],
)
def test_has_star(call: str, expected: bool) -> None:
    assert has_star(call) is expected
