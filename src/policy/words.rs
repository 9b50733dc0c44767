//! Enumerations whose members have a name in records, tokens or tables.

/// Declares an enumeration with the name of each member, its list, `as_str` and `FromStr`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$member_doc])* $member,)* }

        impl $name {
            /// Every member.
            pub const ALL: &[Self] = &[$(Self::$member,)*];

            /// The member's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$member => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|member| member.as_str() == word).ok_or(())
            }
        }
    };
}

pub(super) use words;
