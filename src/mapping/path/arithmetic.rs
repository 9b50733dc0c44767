//! Arithmetic on numbers as they are written: exact, with up to 28 digits.
//! <https://hl7.org/fhirpath/N1/#math>

use rust_decimal::{Decimal, RoundingStrategy};

use super::Operator;

/// Digits after the point that a division gives (<https://hl7.org/fhirpath/N1/#decimal>).
const DIGITS: u32 = 8;

impl Operator {
    /// Whether it takes numbers and gives one.
    pub(super) fn is_arithmetic(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Subtract
                | Self::Multiply
                | Self::Divide
                | Self::DivideWhole
                | Self::Modulo
        )
    }

    /// The result as text; `None` where there is none, as of a division by zero.
    pub(super) fn calculate(self, left: &str, right: &str) -> Option<String> {
        let (left, right) = (number(left)?, number(right)?);
        let result = match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right).map(|exact| {
                exact
                    .round_dp_with_strategy(DIGITS, RoundingStrategy::MidpointAwayFromZero)
                    .normalize()
            }),
            Self::DivideWhole => left.checked_div(right).map(|exact| exact.trunc().normalize()),
            Self::Modulo => left.checked_rem(right),
            _ => None,
        }?;
        // A zero has no sign in JSON that anybody could want.
        Some(if result.is_zero() { result.abs() } else { result }.to_string())
    }
}

/// A JSON number; `None` for one with more digits than can be calculated with.
fn number(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    Decimal::from_str_exact(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_keep_their_digits() {
        for (left, operator, right, expected) in [
            ("0.1", Operator::Add, "0.2", Some("0.3")),
            ("1.10", Operator::Add, "2.20", Some("3.30")),
            ("5", Operator::Subtract, "7", Some("-2")),
            ("1.50", Operator::Multiply, "2", Some("3.00")),
            ("10", Operator::Divide, "4", Some("2.5")),
            ("1", Operator::Divide, "3", Some("0.33333333")),
            ("2", Operator::Divide, "3", Some("0.66666667")),
            ("7", Operator::DivideWhole, "2", Some("3")),
            ("-7", Operator::DivideWhole, "2", Some("-3")),
            ("-7", Operator::Modulo, "2", Some("-1")),
            ("0", Operator::Multiply, "-1", Some("0")),
            ("1e3", Operator::Add, "1", Some("1001")),
            ("1", Operator::Divide, "0", None),
            ("1", Operator::Modulo, "0", None),
            ("79228162514264337593543950335", Operator::Add, "1", None),
            ("0.12345678901234567890123456789", Operator::Add, "1", None),
        ] {
            assert_eq!(operator.calculate(left, right).as_deref(), expected, "{left} {right}");
        }
    }
}
