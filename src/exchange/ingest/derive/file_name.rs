//! File names that are safe to show and to save: a name, never a path or a device.

/// Names that Windows takes for devices, whatever their extension.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// A safe name for a file; `fallback` where nothing usable is left.
pub(super) fn safe(name: Option<&str>, fallback: &str) -> String {
    let name = name.unwrap_or_default();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = name.chars().filter(|c| is_harmless(*c)).take(120).collect();
    let kept = kept.trim_matches([' ', '.']);
    if kept.is_empty() {
        return fallback.to_owned();
    }
    let stem = kept.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or(stem.strip_prefix("LPT"));
    let device = DEVICES.contains(&stem.as_str())
        || numbered.is_some_and(|n| n.len() == 1 && n.chars().all(|c| c.is_ascii_digit()));
    if device { format!("_{kept}") } else { kept.to_owned() }
}

fn is_harmless(c: char) -> bool {
    let steers_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let invisible = matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let reserved = matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    !(c.is_control() || steers_direction || invisible || reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless_ones() {
        assert_eq!(safe(Some("../../etc/passwd"), "file"), "passwd");
        assert_eq!(safe(Some("..\\..\\boot.ini"), "file"), "boot.ini");
        assert_eq!(safe(Some("CON.txt"), "file"), "_CON.txt");
        assert_eq!(safe(Some("com1"), "file"), "_com1");
        assert_eq!(safe(Some("invoice\u{202e}gpj.exe"), "file"), "invoicegpj.exe");
        assert_eq!(safe(Some("a\r\nb.txt"), "file"), "ab.txt");
        assert_eq!(safe(Some(".. / .."), "file"), "file");
        assert_eq!(safe(None, "file"), "file");
        assert_eq!(safe(Some("Übung 3 – مرحبا.pdf"), "file"), "Übung 3 – مرحبا.pdf");
    }
}
