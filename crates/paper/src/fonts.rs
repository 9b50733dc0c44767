//! The fonts, which are part of the program: Latin, Greek, Cyrillic and Devanagari, Arabic, Hebrew,
//! and emoji. `fonts/README.md` says where they are from.

use std::borrow::Cow;
use std::sync::Arc;

use krilla::text::Font;
use parley::fontique::{Blob, Collection, CollectionOptions, GenericFamily, SourceCache};
use parley::style::{FontFamily, FontFamilyName};
use parley::{FontContext, LayoutContext};
use skrifa::MetadataProvider;
use unicode_segmentation::UnicodeSegmentation;

use crate::Error;

/// The families, the first that has a character counts.
const FAMILIES: &[FontFamilyName<'static>] = &[
    FontFamilyName::named("Noto Sans"),
    FontFamilyName::named("Noto Sans Arabic"),
    FontFamilyName::named("Noto Sans Hebrew"),
    FontFamilyName::named("Noto Emoji"),
];

const FILES: &[&[u8]] = &[
    include_bytes!("../fonts/NotoSans-Regular.ttf"),
    include_bytes!("../fonts/NotoSans-Bold.ttf"),
    include_bytes!("../fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../fonts/NotoSansArabic-Bold.ttf"),
    include_bytes!("../fonts/NotoSansHebrew-Regular.ttf"),
    include_bytes!("../fonts/NotoSansHebrew-Bold.ttf"),
    include_bytes!("../fonts/NotoEmoji-Regular.ttf"),
];

/// What stands for a character that no font has.
const REPLACEMENT: char = '\u{fffd}';

/// The fonts, for setting text and for drawing it.
pub(crate) struct Fonts {
    pub(crate) context: FontContext,
    pub(crate) layout: LayoutContext<()>,
    /// Each font under the number that setting text knows it by.
    drawn: Vec<(u64, Font)>,
    maps: Vec<skrifa::charmap::Charmap<'static>>,
}

impl Fonts {
    pub(crate) fn load() -> Result<Self, Error> {
        let broken = || Error::Pdf("a font is broken".to_owned());
        let options = CollectionOptions { shared: false, system_fonts: false };
        let mut collection = Collection::new(options);
        let (mut drawn, mut maps) = (Vec::new(), Vec::new());
        let mut emoji = None;
        for bytes in FILES {
            let blob = Blob::new(Arc::new(*bytes));
            let font = Font::new(blob.clone().into_raw_parts().0.into(), 0).ok_or_else(broken)?;
            drawn.push((blob.id(), font));
            let parsed = skrifa::FontRef::new(bytes).map_err(|_parse| broken())?;
            maps.push(parsed.charmap());
            emoji = collection.register_fonts(blob, None).first().map(|(family, _)| *family);
        }
        // The last of the files is that of the emoji.
        collection.set_generic_families(GenericFamily::Emoji, emoji.into_iter());
        let context = FontContext { collection, source_cache: SourceCache::default() };
        Ok(Self { context, layout: LayoutContext::new(), drawn, maps })
    }

    pub(crate) fn family() -> FontFamily<'static> {
        FontFamily::List(Cow::Borrowed(FAMILIES))
    }

    /// The text with a mark for each character that cannot be set, and without control characters.
    pub(crate) fn drawable(&self, text: &str) -> String {
        self.characters(text).map(|c| c.unwrap_or(REPLACEMENT)).collect()
    }

    /// How many characters of a text cannot be set.
    pub(crate) fn missing(&self, text: &str) -> usize {
        self.characters(text).filter(Option::is_none).count()
    }

    /// The characters that are drawn; nothing for one that no font has, or no font has with the one
    /// on which it stands, since what stands together is set in one font.
    fn characters<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Option<char>> + 'a {
        text.graphemes(true).flat_map(move |together| {
            let is_set = self.one_has(together);
            let drawn = together.chars().filter(|c| !c.is_control()).enumerate();
            drawn.map(move |(place, c)| {
                let stands = place == 0 && self.one_has(c.encode_utf8(&mut [0; 4]));
                (is_set || stands).then_some(c)
            })
        })
    }

    /// Whether one font has all characters but those that are not drawn.
    fn one_has(&self, text: &str) -> bool {
        let has = |map: &skrifa::charmap::Charmap<'_>| {
            text.chars().all(|c| is_unseen(c) || map.map(c).is_some())
        };
        self.maps.iter().any(has)
    }

    /// The font that setting text knows by that number.
    pub(crate) fn drawn(&self, id: u64) -> Option<&Font> {
        self.drawn.iter().find(|(known, _)| *known == id).map(|(_, font)| font)
    }
}

/// Joiners, marks of direction, selectors of variants: they change what is around them.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ad}'
            | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}
