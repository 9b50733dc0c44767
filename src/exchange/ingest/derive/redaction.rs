//! Takes stretches about other people out of a text, before anything else is done with it.

/// What stands where a stretch was.
pub(super) const REDACTED: &str = "[redacted: information about another person]";

/// The text without these stretches, given as start and end in Unicode scalars. Stretches may
/// overlap, touch and reach past the end; one whose end is not after its start is taken as
/// reaching to the end of the text, since nobody can say what it was meant to hide.
pub(super) fn redact(text: &str, spans: &[(usize, usize)]) -> String {
    let mut spans: Vec<(usize, usize)> = spans
        .iter()
        .map(|&(start, end)| (start, if end > start { end } else { usize::MAX }))
        .collect();
    spans.sort_unstable();
    let mut spans = spans.into_iter().peekable();
    let mut out = String::with_capacity(text.len());
    let mut hidden_until = 0;
    for (i, c) in text.chars().enumerate() {
        while let Some((_, end)) = spans.next_if(|(start, _)| *start <= i) {
            if i >= hidden_until {
                out.push_str(REDACTED);
            }
            hidden_until = hidden_until.max(end);
        }
        if i >= hidden_until {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stretches_are_counted_in_unicode_scalars() {
        let text = "ok 👩‍👩‍👧 Jonas was here";
        let start = text.chars().position(|c| c == 'J').unwrap();
        assert_eq!(redact(text, &[(start, start + 5)]), format!("ok 👩‍👩‍👧 {REDACTED} was here"));
    }

    #[test]
    fn overlapping_stretches_leave_one_mark_and_nothing_between() {
        assert_eq!(redact("abcdefgh", &[(4, 6), (1, 5)]), format!("a{REDACTED}gh"));
        assert_eq!(redact("abcdefgh", &[(1, 3), (3, 5)]), format!("a{REDACTED}{REDACTED}fgh"));
        assert_eq!(redact("abc", &[(1, 99)]), format!("a{REDACTED}"));
        assert_eq!(redact("abc", &[(2, 2)]), format!("ab{REDACTED}"));
        assert_eq!(redact("abc", &[(7, 9)]), "abc");
    }

    proptest! {
        #[test]
        fn no_character_of_a_stretch_survives(
            spans in proptest::collection::vec((0usize..40, 1usize..10), 1..5)
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(s, l)| (s, s + l)).collect();
            let hidden = |i: usize| spans.iter().any(|(s, e)| (*s..*e).contains(&i));
            let text: String = (0..50).map(|i| if hidden(i) { '🤐' } else { '.' }).collect();
            let kept = text.chars().filter(|c| *c == '.').count();
            let out = redact(&text, &spans).replace(REDACTED, "");
            prop_assert_eq!(out, ".".repeat(kept));
        }
    }
}
