//! What every PDF has to be.

use super::*;

fn document(blocks: Vec<Block>) -> Document {
    Document {
        title: "A record".to_owned(),
        language: "en".to_owned(),
        size: Size::A4,
        made: Moment { year: 2026, month: 11, day: 28, hour: 3, minute: 2, second: 1 },
        footer: "A record of Núñez — ليلى الحداد".to_owned(),
        numbering: "Page {page} of {pages}".to_owned(),
        blocks,
    }
}

fn everything() -> Vec<Block> {
    let column = |title: &str, share| Column { title: title.to_owned(), share };
    vec![
        Block::Heading { level: 1, text: "A record".to_owned() },
        Block::Quiet("Made on 28 November 2026".to_owned()),
        Block::Notice("This stands out.\n\nOver several lines.".to_owned()),
        Block::Heading { level: 2, text: "Messages 👩‍👩‍👧".to_owned() },
        Block::Paragraph(
            "شكرًا! التمرين ساعدني (4-7-8) كثيرًا 🌙\nשלום world, café é vs é".to_owned(),
        ),
        Block::List(vec!["First".to_owned(), "الثاني".to_owned()]),
        Block::Table(Table {
            caption: "Sessions".to_owned(),
            columns: vec![column("Day", 1), column("What", 3)],
            rows: (0..80).map(|n| vec![format!("Day {n}"), "A session. ".repeat(n)]).collect(),
        }),
        Block::Heading { level: 3, text: "End".to_owned() },
    ]
}

#[test]
fn what_no_font_has_is_a_mark_and_so_is_what_stands_on_it() {
    let mut writer = Writer::new().unwrap();
    for (text, missing) in [
        ("plain, café, e\u{301}", 0),
        ("\u{a8f}", 1),
        // an Arabic mark on a letter that no font has, and on one of another font
        ("\u{a8f}\u{6df}", 2),
        ("a\u{6df}", 0),
        ("ж\u{6df}", 1),
        ("\u{6df}", 0),
        ("1\u{fe0f}\u{20e3} 👩‍👩‍👧", 0),
    ] {
        assert_eq!(writer.missing(text), missing, "{text:?}");
        writer.write(&document(vec![Block::Paragraph(text.to_owned())])).unwrap();
    }
}

fn pages(blocks: Vec<Block>) -> usize {
    layout::lay_out(&document(blocks), &mut Fonts::load().unwrap()).pages.len()
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    let document = document(everything());
    let first = Writer::new().unwrap().write(&document).unwrap();
    let mut writer = Writer::new().unwrap();
    assert_eq!(writer.write(&document).unwrap(), first);
    assert_eq!(writer.write(&document).unwrap(), first, "nor does what was written before matter");
}

#[test]
fn a_long_table_and_a_long_cell_go_on_on_further_pages() {
    let many = pages(everything());
    assert!(many > 5, "{many}");
    let cell = Block::Table(Table {
        caption: "One".to_owned(),
        columns: vec![Column { title: String::new(), share: 1 }],
        rows: vec![vec!["word ".repeat(4000)]],
    });
    assert!(pages(vec![cell]) > 3);
}

#[test]
fn what_no_font_has_is_marked_and_counted() {
    let mut writer = Writer::new().unwrap();
    assert_eq!(writer.missing("Núñez Ελλάδα Київ नमस्ते الحداد שלום 👩‍👩‍👧 👋🏽 \u{202e}"), 0);
    assert_eq!(writer.missing("漢字 ok"), 2);
    writer.write(&document(vec![Block::Paragraph("漢字 \u{0}\u{fffe}".to_owned())])).unwrap();
}

#[test]
fn a_document_of_nothing_but_empty_texts_can_be_written() {
    let mut writer = Writer::new().unwrap();
    let empty = ["", " ", "\n\n"].map(|text| Block::Paragraph(text.to_owned()));
    writer.write(&document(empty.to_vec())).unwrap();
    let headings = ["", "\n", "\u{0}", "\u{200b}", "a\nb"];
    let headings = headings.map(|text| Block::Heading { level: 2, text: text.to_owned() });
    writer.write(&document(headings.to_vec())).unwrap();
}
