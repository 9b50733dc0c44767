//! Files of the record that are no text: as they were, under names that are safe on any system.

use super::file::File;
use super::record::{Record, text};

/// How long a name may be, in characters.
const LONGEST: usize = 80;

/// The files, in the order of their documents' ids.
pub(super) fn files(record: &Record) -> Vec<File> {
    let contents = record.of("DocumentReference").flat_map(|document| document.list("/content"));
    let attachments = contents.filter_map(|content| content.get("attachment"));
    let files = attachments.filter(|one| !text(one, "/contentType").starts_with("text/plain"));
    let files = files.filter_map(|one| Some((one, record.attached(one)?)));
    files
        .enumerate()
        .map(|(number, (attachment, bytes))| {
            let name = safe(text(attachment, "/title"));
            let path = format!("attachments/{:03}-{name}", number + 1);
            File::new(path, text(attachment, "/contentType"), bytes)
        })
        .collect()
}

/// The name without what leads elsewhere, hides its end, or means something to a system.
fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let name: String = last.chars().filter(|c| kept(*c)).take(LONGEST).collect();
    let name = name.trim_matches(['.', ' ']);
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe() {
        for (name, expected) in [
            ("roi-frfm.pdf", "roi-frfm.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\..\\a b.txt", "a b.txt"),
            ("\u{202e}gpj.exe", "gpj.exe"),
            ("تقرير.pdf", "تقرير.pdf"),
            ("..", "file"),
            ("", "file"),
        ] {
            assert_eq!(safe(name), expected);
        }
    }
}
