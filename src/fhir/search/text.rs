//! How text is compared: without case, accents and superfluous space.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The form of `text` that is stored and searched.
pub fn normalise(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        if word.is_ascii() {
            plain.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        } else {
            plain.extend(
                word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase),
            );
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_space_do_not_count() {
        assert_eq!(normalise("  Zoë   O’Brien-Šimić "), "zoe o’brien-simic");
        assert_eq!(normalise("مرحبا"), "مرحبا");
        assert_eq!(normalise("\n"), "");
    }
}
