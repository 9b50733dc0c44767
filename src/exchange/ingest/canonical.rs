//! The canonical form of JSON (RFC 8785), and the hashes over it.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Number, Value};

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, bytes);
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hash
}

/// Appends the canonical form of `value`: members by UTF-16 code units, numbers and text as
/// ECMAScript writes them.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (i, (key, item)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends a string in quotes. RFC 8785 escapes exactly what `serde_json` escapes.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(&mut *out, text);
    debug_assert!(written.is_ok(), "a Vec takes everything");
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    const EXACT: u64 = 1 << 53;
    let exact = |n: i64| n.unsigned_abs() <= EXACT;
    if number.as_u64().is_some_and(|n| n <= EXACT) || number.as_i64().is_some_and(exact) {
        out.extend_from_slice(number.to_string().as_bytes());
    } else {
        write_double(number.as_f64().unwrap_or_default(), out);
    }
}

/// ECMAScript's `Number::toString`: the shortest digits that read back as the same double, with an
/// exponent from 1e21 and below 1e-6.
fn write_double(number: f64, out: &mut Vec<u8>) {
    if number == 0.0 {
        return out.push(b'0');
    }
    let shortest = format!("{:e}", number.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let count = i32::try_from(digits.len()).unwrap_or_default();
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or_default());
    let point = usize::try_from(exponent + 1).unwrap_or_default();
    let text = if (0..21).contains(&exponent) {
        match digits.split_at_checked(point) {
            Some((whole, "")) => whole.to_owned(),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => digits + &zeros(exponent + 1 - count),
        }
    } else if (-6..0).contains(&exponent) {
        format!("0.{}{digits}", zeros(-exponent - 1))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        match digits.split_at_checked(1) {
            Some((first, rest)) if !rest.is_empty() => {
                format!("{first}.{rest}e{sign}{}", exponent.abs())
            }
            _ => format!("{digits}e{sign}{}", exponent.abs()),
        }
    };
    if number < 0.0 {
        out.push(b'-');
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = Vec::new();
        write(&super::super::json::read(text.as_bytes()).unwrap().value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_hold() {
        let numbers = "[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]";
        assert_eq!(canonical(numbers), "[333333333.3333333,1e+30,4.5,0.002,1e-27]");
        let text = r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#;
        assert_eq!(canonical(text), r#""€$\u000f\nA'B\"\\\\\"/""#);
        let keys = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        let sorted = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
        assert_eq!(canonical(keys), sorted);
    }

    #[test]
    fn numbers_are_written_as_ecmascript_does() {
        let numbers = "[0, -0.0, 1.0, 100, 1e21, 123456789012345680000, 1e-6, 1e-7, -1.5e-9, 9007199254740993]";
        let expected =
            "[0,0,1,100,1e+21,123456789012345680000,0.000001,1e-7,-1.5e-9,9007199254740992]";
        assert_eq!(canonical(numbers), expected);
    }
}
