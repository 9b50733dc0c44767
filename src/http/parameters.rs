//! Parameters of a URL or form, decoded strictly: what is not UTF-8 is refused, not replaced; and
//! those of a `Parameters` resource.

use serde::Deserialize;
use serde_json::{Map, Value};

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

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(default)]
    parameter: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// A reference, or a code or the first code of a concept, as a URL has it.
fn in_url(value: &Value) -> Option<String> {
    if let Some(reference) = value.get("reference").and_then(Value::as_str) {
        return Some(reference.to_owned());
    }
    let coding = value.pointer("/coding/0").unwrap_or(value);
    let part = |name: &str| coding.get(name).and_then(Value::as_str);
    let code = part("code")?;
    Some(part("system").map_or_else(|| code.to_owned(), |system| format!("{system}|{code}")))
}

/// The parameters of a `Parameters` resource as those of a URL.
pub(super) fn of_resource(body: &[u8]) -> Result<Pairs, Error> {
    let hint = "send a Parameters resource with a name and a value in each parameter";
    let parsed: Parameters =
        serde_json::from_slice(body).map_err(|_json| Error::invalid("body", hint))?;
    if parsed.resource_type != "Parameters" {
        return Err(Error::invalid("body", hint));
    }
    let pair = |parameter: Parameter| {
        let mut values =
            parameter.members.into_iter().filter(|(name, _)| name.starts_with("value"));
        let value = match values.next() {
            Some((_, Value::String(text))) => text,
            Some((_, value @ (Value::Number(_) | Value::Bool(_)))) => value.to_string(),
            Some((_, value)) => in_url(&value).ok_or_else(|| Error::invalid("body", hint))?,
            None => return Err(Error::invalid("body", hint)),
        };
        Ok((parameter.name, value))
    };
    parsed.parameter.into_iter().map(pair).collect()
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
