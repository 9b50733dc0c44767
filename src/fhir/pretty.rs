//! JSON for people: the same text with line breaks and indentation (`_pretty`,
//! <https://hl7.org/fhir/R4/http.html#pretty>).

use super::raw;

/// `text`, which is JSON, with a member or item a line, indented by two spaces.
pub fn indent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 2);
    let mut depth = 0_usize;
    let mut rest = text.trim_ascii_start();
    while let Some((byte, after)) = rest.split_first() {
        if let Some((string, after)) = raw::string(rest).and_then(|end| rest.split_at_checked(end))
        {
            out.extend_from_slice(string);
            rest = after.trim_ascii_start();
            continue;
        }
        rest = after.trim_ascii_start();
        match byte {
            b'{' | b'[' => {
                out.push(*byte);
                if let Some((close @ (b'}' | b']'), after)) = rest.split_first() {
                    out.push(*close);
                    rest = after.trim_ascii_start();
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(*byte);
            }
            b',' => {
                out.push(b',');
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(*byte),
        }
    }
    out
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_json_a_member_a_line() {
        let text = br#"{"a":[1.10,{"b":"x, {y}: \"z\""}],"c":{},"d":[ ],"e":true}"#;
        let pretty = String::from_utf8(indent(text)).unwrap();
        let expected = "{\n  \"a\": [\n    1.10,\n    {\n      \"b\": \"x, {y}: \\\"z\\\"\"\n    }\n  ],\n  \
             \"c\": {},\n  \"d\": [],\n  \"e\": true\n}";
        assert_eq!(pretty, expected);
        assert_eq!(indent(pretty.as_bytes()), expected.as_bytes(), "it stays as it is");
    }
}
