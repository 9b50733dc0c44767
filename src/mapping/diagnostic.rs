//! What is wrong with the text of a map set: where, why, and what was probably meant.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The set cannot be used.
    Error,
    /// The set can be used; somebody should know.
    Warning,
}

impl Severity {
    fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What went wrong, or should be known, about the text of a map set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The rendered text: `file:line:col: error[MAP101]: …` with a caret.
    #[serde(skip)]
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
    /// A stable code, such as `MAP101`.
    pub code: &'static str,
    /// The file, relative to the map set's folder.
    pub file: String,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 where the whole file is meant.
    pub column: usize,
    /// How many characters are meant.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
}

/// The text of a file, with what is needed to point into it.
#[derive(Debug)]
pub(crate) struct SourceText {
    /// The path, relative to the map set's folder.
    pub path: String,
    /// The content.
    pub text: String,
}

/// A place in a file.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The file.
    pub source: Arc<SourceText>,
    /// The bytes meant.
    pub span: Range<usize>,
}

impl Place {
    /// Line and column of the beginning, from 1; the column counts characters.
    pub(crate) fn position(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.span.start).unwrap_or_default();
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// `file:line`.
    pub(crate) fn file_line(&self) -> String {
        format!("{}:{}", self.source.path, self.position().0)
    }

    fn line_text(&self) -> &str {
        let start = self.source.text.get(..self.span.start).unwrap_or_default();
        let start = start.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.source.text.get(start..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    fn length(&self) -> usize {
        let text = self.source.text.get(self.span.clone()).unwrap_or_default();
        text.lines().next().unwrap_or_default().chars().count().max(1)
    }
}

/// Gathers the diagnostics of one load; the same place is never reported twice under one code.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Reports an error at a place.
    pub(crate) fn error(&mut self, code: &'static str, place: &Place, message: impl Into<String>) {
        self.push(Severity::Error, code, place, message.into(), None);
    }

    /// Reports an error at a place, with what to do or what was probably meant.
    pub(crate) fn error_help(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.push(Severity::Error, code, place, message.into(), help);
    }

    /// Reports something that should be known.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) {
        self.push(Severity::Warning, code, place, message.into(), None);
    }

    /// Reports an error that is about a whole file.
    pub(crate) fn file(&mut self, code: &'static str, path: &str, message: impl Into<String>) {
        self.whole(Severity::Error, code, path, message.into());
    }

    /// Reports something that should be known about a whole file.
    pub(crate) fn file_warning(
        &mut self,
        code: &'static str,
        path: &str,
        message: impl Into<String>,
    ) {
        self.whole(Severity::Warning, code, path, message.into());
    }

    fn whole(&mut self, severity: Severity, code: &'static str, path: &str, message: String) {
        let label = severity.label();
        self.found.push(Diagnostic {
            text: format!("{path}: {label}[{code}]: {message}"),
            severity,
            code,
            file: path.to_owned(),
            line: 0,
            column: 0,
            length: 0,
            message,
            help: None,
        });
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: &Place,
        message: String,
        help: Option<String>,
    ) {
        let (line, column) = place.position();
        let file = place.source.path.clone();
        let known = |d: &Diagnostic| {
            d.line == line && d.column == column && d.file == file && d.code == code
        };
        if self.found.iter().any(known) {
            return;
        }
        let text = render(severity, code, place, &message, help.as_deref());
        let length = place.length();
        self.found.push(Diagnostic {
            text,
            severity,
            code,
            file,
            line,
            column,
            length,
            message,
            help,
        });
    }

    /// Whether anything makes the set unusable.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether anything has been reported on the line of this place.
    pub(crate) fn knows(&self, place: &Place) -> bool {
        let (line, _) = place.position();
        self.found.iter().any(|d| d.line == line && d.file == place.source.path)
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// Everything, by file and place.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.found
    }
}

fn render(
    severity: Severity,
    code: &str,
    place: &Place,
    message: &str,
    help: Option<&str>,
) -> String {
    let (line, column) = place.position();
    let label = severity.label();
    let gutter = " ".repeat(line.to_string().len());
    let source = place.line_text().replace('\t', " ");
    let mut text = format!("{}:{line}:{column}: {label}[{code}]: {message}", place.source.path);
    // writing to a String cannot fail
    let _ = write!(
        text,
        "\n{gutter} |\n{line} | {source}\n{gutter} | {}{}",
        " ".repeat(column - 1),
        "^".repeat(place.length())
    );
    if let Some(help) = help {
        let _ = write!(text, "\n{gutter} = help: {help}");
    }
    text
}

/// `did you mean …?`, if one of the candidates is close enough to what was written.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let best = candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .min()?;
    (best.0 <= 2.max(written.len() / 4)).then(|| format!("did you mean `{}`?", best.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_points_at_the_characters_meant() {
        let text = "group\n  é.updatd_at -> x;\n".to_owned();
        let start = text.find("updatd").unwrap();
        let source = Arc::new(SourceText { path: "outbound/a.fml".into(), text });
        let place = Place { source, span: start..start + 9 };
        let mut all = Diagnostics::default();
        let help = did_you_mean("updatd_at", ["started_at", "updated_at"]);
        all.error_help("MAP101", &place, "SessionLog has no element `updatd_at`", help);
        let text = all.finish().remove(0).text;
        assert_eq!(
            text,
            "outbound/a.fml:2:5: error[MAP101]: SessionLog has no element `updatd_at`\n  |\n2 |   é.updatd_at -> x;\n  |     ^^^^^^^^^\n  = help: did you mean `updated_at`?"
        );
    }
}
