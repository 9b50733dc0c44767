//! The parts that pages are made of.

use maud::{Markup, html};

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Tone {
    /// Something to know.
    Calm,
    /// Something that went wrong.
    Danger,
}

/// A notice with a title.
pub(in crate::http) fn notice(tone: Tone, title: &str, text: &str) -> Markup {
    let class = match tone {
        Tone::Calm => "notice",
        Tone::Danger => "notice danger",
    };
    html! {
        div class=(class) {
            strong { (title) }
            p { (text) }
        }
    }
}

/// One option of a form: a box or a button whose whole label can be clicked.
pub(in crate::http) struct Choice<'a> {
    /// `radio` or `checkbox`.
    pub(in crate::http) kind: &'static str,
    /// The field.
    pub(in crate::http) name: &'a str,
    /// What is sent.
    pub(in crate::http) value: &'a str,
    /// Whether it is chosen at first.
    pub(in crate::http) is_chosen: bool,
    /// What it is called.
    pub(in crate::http) label: &'a str,
    /// More about it; may be empty.
    pub(in crate::http) hint: &'a str,
}

impl Choice<'_> {
    /// Its markup.
    pub(in crate::http) fn markup(&self) -> Markup {
        html! {
            label.choice {
                input type=(self.kind) name=(self.name) value=(self.value) checked[self.is_chosen];
                span {
                    (self.label)
                    @if !self.hint.is_empty() { span.hint { (self.hint) } }
                }
            }
        }
    }
}

/// The hidden field that tells our forms from those of others.
pub(in crate::http) fn csrf(token: &str) -> Markup {
    html! { input type="hidden" name=(super::visit::CSRF) value=(token); }
}
