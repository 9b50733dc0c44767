//! Names put into a text that people read: `{app}` becomes the app's name.

/// The text with each `{name}` replaced by its value; what comes in is never looked at again, so a
/// value with braces stays as it is.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let named = after.split_once('}').and_then(|(name, tail)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, tail))
        });
        if let Some((value, tail)) = named {
            filled.push_str(value);
            rest = tail;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_once() {
        let filled = fill("May {app} see {x} of {name}?", &[("app", "{name}"), ("name", "Ann")]);
        assert_eq!(filled, "May {name} see {x} of Ann?");
    }
}
