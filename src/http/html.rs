//! What every page for people shares: its frame, its parts, its texts, its look, and what a browser
//! may do with it.
//!
//! Pages are written by the server, and need no script. Every text goes through the template's
//! escaping; nothing here takes ready-made markup from elsewhere.

mod cookies;
mod language;
mod page;
mod part;
mod policy;
mod style;
mod texts;
mod visit;

pub(super) use self::cookies::Cookies;
pub(super) use self::language::Language;
pub(super) use self::page::{Page, Script};
pub(super) use self::part::{Choice, Tone, csrf, notice};
pub(super) use self::policy::target;
pub(super) use self::style::{STYLE, style};
pub(super) use self::texts::{Languages, Texts};
pub(super) use self::visit::{Form, Visit};
pub(super) use crate::domain::fill;
