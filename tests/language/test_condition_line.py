"""Tests of one line of `when`: what it says, and what is said about mistakes, at which column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rulemaking import comparison, lines

from router.language.condition_line import Mistake
from router.language.conditions import OPERATORS, OPERATORS_OF, Literal
from router.language.fields import FieldKind


@pytest.mark.parametrize(
    ("line", "operator", "literal"),
    [
        ('hub.model == "Alpha"', "==", "Alpha"),
        ("hub.model=='Al\"pha'", "==", 'Al"pha'),
        (r'hub.model == "a\n"', "==", r"a\n"),
        ('  hub.model\t!=  "x" ', "!=", "x"),
        ('hub.model  not   in ["a", \'b\', "a",]', "not in", ("a", "b")),
        ('hub.model in["a"]', "in", ("a",)),
        ("hub.model exists", "exists", None),
        ('hub.model startswith "A"', "startswith", "A"),
        ('hub.groups has "pilot"', "has", "pilot"),
        ("activation.version_changed == true", "==", True),
        ("activation.version_changed != false", "!=", False),
        ('activation.firmware_version<="1.10"', "<=", "1.10"),
        ('recipient.duis_version >= "5.1"', ">=", "5.1"),
        ('recipient.duis_version startswith "5."', "startswith", "5."),
        ('hub.hardware_version > "rev B, 2021"', ">", "rev B, 2021"),
        ('hub.device_id == "90-b3-d5-1f-30-00-10-0a"', "==", "90-B3-D5-1F-30-00-10-0A"),
        ('hub.device_id startswith "90-b3"', "startswith", "90-B3"),
        ('hub.status == "Commissioned"', "==", "Commissioned"),
    ],
)
def test_a_line_says(line: str, operator: str, literal: Literal) -> None:
    found = comparison(line)
    assert (found.operator, found.literal, found.text) == (operator, literal, line)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("", 0, "no condition stands here"),
        ("hub.modle exists", 0, "there is no field 'hub.modle'; did you mean 'hub.model'?"),
        ('outcome == "success"', 0, "did you mean 'activation.outcome'?"),
        ("nothing.like.it exists", 0, "there is no field 'nothing.like.it'"),
        ("hub.model", 9, "the line ends too early"),
        ("hub.model ==", 12, "'==' needs a value"),
        ("hub.model in [", 14, "the line ends too early"),
        ('hub.model = "x"', 10, "compare with == (two signs)"),
        ('hub.model "x"', 10, "a comparison is missing here"),
        ('hub.model startwith "x"', 10, "did you mean 'startswith'?"),
        ('hub.model not exists "x"', 10, "only `in` can follow `not`"),
        ("not hub.model exists", 0, "to negate a condition, write `not:`"),
        ("any: hub.model exists", 0, "put the lines of any:, all: and not: below it"),
        ("hub.model == Alpha", 13, 'Alpha must be in quotes: "Alpha"'),
        ("hub.model == 5.10", 13, '5.10 must be in quotes: "5.10"'),
        ("hub.model == “x”", 13, 'must be in quotes: "x"'),
        ("hub.model == true", 13, 'true must be in quotes: "true"'),
        ('hub.model in ["a", b]', 19, 'b must be in quotes: "b"'),
        ('hub.model == "x', 13, "the quotes are not closed"),
        ('hub.model == "x" and hub.groups exists', 17, "one comparison a line"),
        ('hub.model == "x" || hub.groups exists', 17, "for `or` write `any:`"),
        ('hub.model == "x" "y"', 17, "'\"y\"' is not expected here"),
        ('"x" == hub.model', 0, "is not expected here; write FIELD COMPARISON VALUE"),
        ('hub.model exists "x"', 17, "nothing may stand after `exists`"),
        ('hub.model < "x"', 10, "hub.model (text) can't be compared with '<'; it takes ==, !="),
        ('hub.groups == "x"', 11, "(list of words) can't be compared with '=='; it takes has"),
        ('activation.outcome startswith "s"', 19, "can't be compared with 'startswith'"),
        ('hub.model has "x"', 10, "can't be compared with 'has'"),
        ('hub.model in "x"', 13, "'in' needs a list"),
        ("hub.model in []", 13, "nothing can be in a list without values"),
        ('hub.model == ["x"]', 13, "'==' takes one value; use `in` for a list"),
        ('hub.model == ""', 13, "hub.model is never empty; use `exists`"),
        ('hub.model in ["a", ""]', 19, "hub.model is never empty"),
        ('hub.model == "a\tb"', 13, "it is 1 to 100 printable characters"),
        ('activation.version_changed == "true"', 30, "is true or false, without quotes"),
        (
            'hub.status == "commissioned"',
            14,
            "is never 'commissioned'; did you mean 'Commissioned'?",
        ),
        ('recipient.role in ["gas_suplier"]', 19, "did you mean 'gas_supplier'?"),
        ('activation.firmware_version == "123456789"', 31, "is never '123456789'"),
        ('activation.firmware_version startswith "ü"', 39, "never begins with 'ü'"),
        ('recipient.duis_version >= "5"', 26, "is never '5'"),
        ('hub.device_id == "90-B3"', 17, "it is an EUI-64 such as 90-B3-D5-1F-30-01-00-00"),
        ('hub.device_id startswith "90B3"', 25, "never begins with '90B3'"),
        ('hub.groups has "two words"', 15, "hub.groups is never 'two words'"),
        ("hub.model == " + '"' + "x" * 101 + '"', 13, "it is 1 to 100 printable characters"),
        (" " * 2001, 0, "more than 2,000 characters"),
    ],
)
def test_a_mistake_is_named_with_its_column(line: str, column: int, message: str) -> None:
    with pytest.raises(Mistake) as caught:
        comparison(line)
    assert message in caught.value.message
    assert caught.value.at == column


@given(lines())
def test_every_comparison_of_the_catalogue_can_be_written(line: str) -> None:
    assert comparison(line).text == line


@given(
    st.text(max_size=40)
    | st.builds(
        lambda line, at, cut: line[:at] + cut + line[at + 1 :],
        lines(),
        st.integers(0, 60),
        st.text(max_size=3),
    )
)
def test_whatever_is_written_is_a_condition_or_a_mistake(line: str) -> None:
    try:
        comparison(line)
    except Mistake as mistake:
        assert mistake.message
        assert 0 <= mistake.at <= len(line)


def test_each_kind_of_field_takes_known_comparisons() -> None:
    assert set(OPERATORS_OF) == set(FieldKind)
    assert {sign for signs in OPERATORS_OF.values() for sign in signs} == set(OPERATORS)
