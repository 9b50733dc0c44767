//! What a scope lets do with resources: create, read, update, delete, search.

use std::fmt;

/// A set of `c r u d s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rights(u8);

/// How a scope's rights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `read`, `write`, `*`: SMART App Launch 1.
    V1,
    /// A part of `cruds`: SMART App Launch 2.
    V2,
}

/// The letters, in their order.
const LETTERS: &str = "cruds";

impl Rights {
    /// To read a resource that is named.
    pub const READ: Self = Self(0b00010);
    /// To search.
    pub const SEARCH: Self = Self(0b10000);
    /// To make a new resource.
    pub const CREATE: Self = Self(0b00001);
    /// To change one.
    pub const UPDATE: Self = Self(0b00100);
    /// What this server offers.
    pub const OFFERED: Self = Self(0b10010);
    /// What it offers of a patient's own consents beside; of their requests, [`Self::CREATE`].
    pub const SIGNED: Self = Self(0b00101);
    /// What `write` says.
    const WRITE: Self = Self(0b01101);
    /// Everything.
    const ALL: Self = Self(0b11111);

    /// The rights as a scope says them after its last dot.
    pub(super) fn parse(text: &str) -> Option<(Self, Form)> {
        match text {
            "read" => return Some((Self::OFFERED, Form::V1)),
            "write" => return Some((Self::WRITE, Form::V1)),
            "*" => return Some((Self::ALL, Form::V1)),
            _ => {}
        }
        let (mut set, mut last) = (0, None);
        for letter in text.chars() {
            let place = LETTERS.find(letter)?;
            // In this order, each once.
            if last.is_some_and(|last| last >= place) {
                return None;
            }
            set |= 1 << place;
            last = Some(place);
        }
        (set != 0).then_some((Self(set), Form::V2))
    }

    /// Whether all of `others` are among them.
    pub fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Those of both.
    pub fn and(self, others: Self) -> Option<Self> {
        let both = self.0 & others.0;
        (both != 0).then_some(Self(both))
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Each by itself.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..LETTERS.len()).map(|place| Self(1 << place)).filter(move |right| self.contain(*right))
    }

    /// The rights as a scope says them; rights that the first form has no word for are written in
    /// the second.
    pub(super) fn write(self, form: Form, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (form, self) {
            (Form::V1, Self::OFFERED) => f.write_str("read"),
            (Form::V1, Self::WRITE) => f.write_str("write"),
            (Form::V1, Self::ALL) => f.write_str("*"),
            _ => {
                let is_one = |(place, _): &(usize, char)| self.0 & (1 << place) != 0;
                let letters = LETTERS.chars().enumerate().filter(is_one);
                f.write_str(&letters.map(|(_, letter)| letter).collect::<String>())
            }
        }
    }
}
