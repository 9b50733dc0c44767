//! FHIR R4 primitive types and their formats (R4 2.24.0.1).

/// A primitive type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `true` or `false`.
    Boolean,
    /// A 32-bit whole number.
    Integer,
    /// A whole number from 0.
    UnsignedInt,
    /// A whole number from 1.
    PositiveInt,
    /// A number whose text, with its precision, is kept.
    Decimal,
    /// Text.
    String,
    /// Text without leading, trailing or double blanks.
    Code,
    /// 1 to 64 of `A-Z a-z 0-9 - .`.
    Id,
    /// Text in Markdown.
    Markdown,
    /// A URI.
    Uri,
    /// A URL.
    Url,
    /// The URI of a definition.
    Canonical,
    /// A `urn:oid:`.
    Oid,
    /// A `urn:uuid:`.
    Uuid,
    /// Base 64.
    Base64Binary,
    /// A year, a month or a day.
    Date,
    /// A date, or a moment with its offset.
    DateTime,
    /// A moment with seconds and offset.
    Instant,
    /// A time of day.
    Time,
    /// The `div` of a narrative.
    Xhtml,
}

/// How a JSON value of a primitive type is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`.
    Boolean,
    /// A JSON number.
    Number,
    /// A JSON string.
    Text,
}

const NAMES: &[(&str, Primitive)] = &[
    ("boolean", Primitive::Boolean),
    ("integer", Primitive::Integer),
    ("unsignedInt", Primitive::UnsignedInt),
    ("positiveInt", Primitive::PositiveInt),
    ("decimal", Primitive::Decimal),
    ("string", Primitive::String),
    ("code", Primitive::Code),
    ("id", Primitive::Id),
    ("markdown", Primitive::Markdown),
    ("uri", Primitive::Uri),
    ("url", Primitive::Url),
    ("canonical", Primitive::Canonical),
    ("oid", Primitive::Oid),
    ("uuid", Primitive::Uuid),
    ("base64Binary", Primitive::Base64Binary),
    ("date", Primitive::Date),
    ("dateTime", Primitive::DateTime),
    ("instant", Primitive::Instant),
    ("time", Primitive::Time),
    ("xhtml", Primitive::Xhtml),
];

impl Primitive {
    /// The type of this FHIR name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, primitive)| *primitive)
    }

    /// The type's FHIR name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, primitive)| *primitive == self).map_or("", |(name, _)| name)
    }

    /// How it is written in JSON.
    pub fn form(self) -> Form {
        match self {
            Self::Boolean => Form::Boolean,
            Self::Integer | Self::UnsignedInt | Self::PositiveInt | Self::Decimal => Form::Number,
            _ => Form::Text,
        }
    }

    /// Whether `text`, a JSON number's or string's own text, is a value of this type.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Boolean => text == "true" || text == "false",
            Self::Integer => text.parse::<i32>().is_ok(),
            Self::UnsignedInt => !text.starts_with('-') && text.parse::<i32>().is_ok(),
            Self::PositiveInt => text.parse::<i32>().is_ok_and(|number| number > 0),
            Self::Decimal => is_number(text),
            Self::String | Self::Markdown | Self::Xhtml => is_text(text),
            Self::Code => is_code(text),
            Self::Id => is_id(text),
            Self::Uri | Self::Url | Self::Canonical => is_uri(text),
            Self::Oid => text.strip_prefix("urn:oid:").is_some_and(is_oid),
            Self::Uuid => text.strip_prefix("urn:uuid:").is_some_and(|uuid| uuid.len() == 36),
            Self::Base64Binary => is_base64(text),
            Self::Date => date(text.as_bytes()).is_some_and(<[u8]>::is_empty),
            Self::DateTime => is_date_time(text.as_bytes()),
            Self::Instant => is_instant(text.as_bytes()),
            Self::Time => time(text.as_bytes()).is_some_and(<[u8]>::is_empty),
        }
    }
}

fn is_text(text: &str) -> bool {
    !text.is_empty()
        && !text.bytes().any(|b| b < 0x20 && !matches!(b, b'\t' | b'\r' | b'\n'))
        && !text.bytes().all(|b| b.is_ascii_whitespace())
}

fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
        && !bytes.iter().any(|b| *b < 0x20)
        && !bytes.windows(2).any(|pair| pair == b"  ")
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|b| b <= b' ')
}

fn is_oid(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

/// A JSON number (RFC 8259) of at most 32 characters.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.len() <= 32
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Reads exactly `count` digits.
fn digits(bytes: &[u8], count: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_at_checked(count)?;
    let mut value = 0;
    for byte in head {
        value = value * 10 + u32::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some((value, rest))
}

fn after<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<&'a [u8]> {
    bytes.strip_prefix(separator)
}

/// Reads `YYYY[-MM[-DD]]` and answers what follows.
fn date(bytes: &[u8]) -> Option<&[u8]> {
    let (year, rest) = digits(bytes, 4)?;
    let Some(rest) = after(rest, b"-") else { return (year > 0).then_some(rest) };
    let (month, rest) = digits(rest, 2)?;
    if year == 0 || !(1..=12).contains(&month) {
        return None;
    }
    let Some(rest) = after(rest, b"-") else { return Some(rest) };
    let (day, rest) = digits(rest, 2)?;
    (1..=days(year, month)).contains(&day).then_some(rest)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads `hh:mm:ss[.fff]` and answers what follows; second 60 is a leap second.
fn time(bytes: &[u8]) -> Option<&[u8]> {
    let (hour, rest) = digits(bytes, 2)?;
    let (minute, rest) = digits(after(rest, b":")?, 2)?;
    let (second, rest) = digits(after(rest, b":")?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let Some(fraction) = after(rest, b".") else { return Some(rest) };
    let count = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    (count > 0).then(|| fraction.get(count..)).flatten()
}

fn is_offset(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((b'Z', [])) => true,
        Some((b'+' | b'-', rest)) => digits(rest, 2)
            .filter(|(hour, _)| *hour <= 14)
            .and_then(|(_, rest)| digits(after(rest, b":")?, 2))
            .is_some_and(|(minute, rest)| minute <= 59 && rest.is_empty()),
        _ => false,
    }
}

fn is_date_time(bytes: &[u8]) -> bool {
    date(bytes).is_some_and(<[u8]>::is_empty) || is_instant(bytes)
}

fn is_instant(bytes: &[u8]) -> bool {
    bytes.get(10) == Some(&b'T')
        && bytes.get(..10).and_then(date).is_some_and(<[u8]>::is_empty)
        && bytes.get(11..).and_then(time).is_some_and(is_offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_follow_the_calendar() {
        for good in ["2024", "2024-02", "2024-02-29"] {
            assert!(Primitive::Date.accepts(good), "{good}");
        }
        for bad in ["", "24", "2023-02-29", "2024-13", "2024-1-1", "2024-02-29T00:00:00Z", "0000"] {
            assert!(!Primitive::Date.accepts(bad), "{bad}");
        }
        for good in ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:60.123Z", "2026-11"] {
            assert!(Primitive::DateTime.accepts(good), "{good}");
        }
        for bad in [
            "2026-11-01T01:30:00",
            "2026-11-01T01:30Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T01:30:00.Z",
        ] {
            assert!(!Primitive::DateTime.accepts(bad), "{bad}");
        }
        assert!(!Primitive::Instant.accepts("2026-11-01"));
    }

    #[test]
    fn numbers_keep_to_their_ranges() {
        assert!(Primitive::Decimal.accepts("1.10"));
        assert!(!Primitive::Decimal.accepts("1e999"));
        assert!(Primitive::PositiveInt.accepts("1") && !Primitive::PositiveInt.accepts("0"));
        assert!(!Primitive::Integer.accepts("1.0"));
        assert!(!Primitive::UnsignedInt.accepts("-0"));
    }

    #[test]
    fn text_types_refuse_what_fhir_refuses() {
        assert!(!Primitive::String.accepts("") && !Primitive::String.accepts(" \n"));
        assert!(!Primitive::Code.accepts(" a") && !Primitive::Code.accepts("a  b"));
        assert!(Primitive::Id.accepts("a-1.B") && !Primitive::Id.accepts("a_1"));
        assert!(
            Primitive::Base64Binary.accepts("aGk=") && !Primitive::Base64Binary.accepts("a b=")
        );
        assert!(Primitive::Oid.accepts("urn:oid:1.2.3") && !Primitive::Oid.accepts("1.2.3"));
    }
}
