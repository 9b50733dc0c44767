//! Parameters of a URL or form, decoded strictly: what is not UTF-8 is refused, not replaced.

use super::Refusal;
use crate::error::Error;

/// Names and values, decoded, in order.
pub(super) type Pairs = Vec<(String, String)>;

/// The decoded parameters of a query string or form.
pub(super) fn parse(text: &str) -> Result<Pairs, Refusal> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

/// Text without its escapes; in parameters a `+` is a space.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Result<String, Refusal> {
    let broken = || Error::invalid("URL", "an escape in the URL is broken or not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' if plus_is_space => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                high.zip(low)
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                    .ok_or_else(broken)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_bytes| broken().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_in_order() {
        let parsed = parse("a=1&&b=%C5%A0+x&a=%2B&flag&c=d=e").unwrap();
        let pairs: Vec<_> = parsed.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "Š x"), ("a", "+"), ("flag", ""), ("c", "d=e")]);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c5=1", "a=%ED%A0%80"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
