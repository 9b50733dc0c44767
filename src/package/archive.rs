//! The archive: its files, and the ZIP that holds them in a fixed order and with one time.

use std::io::{Cursor, Read, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use paper::Block;
use zip::write::SimpleFileOptions;
use zip::{AesMode, CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::file::File;
use super::readable::Readable;
use super::texts::fill;
use super::{Copy, attachments, collection, document, manifest, page, pdf, sections};
use crate::error::{Error, Result};

/// A copy of a record.
#[derive(Debug, Clone)]
pub struct Package {
    files: Vec<File>,
    manifest: Vec<u8>,
    at: Timestamp,
}

/// Makes all files.
pub(super) fn of(copy: &Copy<'_>) -> Result<Package> {
    let readable = Readable::of(copy);
    let entries = document::closed(copy.record, &[]);
    let mut files = vec![
        File::new("document.json", "application/fhir+json", document::bundle_of(copy)?),
        collection::bundle_of(copy, &entries)?,
        File::new("human/index.html", "text/html; charset=utf-8", page::html(copy, &readable)),
        File::new("record.pdf", "application/pdf", pdf::pdf(copy, &readable)?),
    ];
    files.extend(collection::lines(&entries));
    files.extend(attachments::files(copy.record));
    files.extend(copy.beside.outside.iter().cloned());
    files.push(File::new(
        "README.txt",
        "text/plain; charset=utf-8",
        readme(copy, &readable, &files),
    ));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let manifest = manifest::manifest(copy, &files)?;
    Ok(Package { files, manifest, at: copy.options.at })
}

/// What to do with the archive, in plain text.
fn readme(copy: &Copy<'_>, readable: &Readable, files: &[File]) -> Vec<u8> {
    let (words, at) = (&copy.texts.readme, copy.texts.date(&copy.instant()));
    let values = [("date", &*at), ("practice", copy.practice()), ("title", &*readable.title)];
    let mut text = vec![
        fill(&words.title, &values),
        fill(&words.lede, &values),
        words.open.clone(),
        words.private.clone(),
        words.check.clone(),
    ];
    if let Some((title, notice)) = &readable.notice {
        text.push(format!("{title}\n{notice}"));
    }
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.extend(["README.txt", manifest::FILE]);
    paths.sort_unstable();
    text.push(format!("{}:\n{}", words.files, paths.join("\n")));
    let section = sections::left_out(copy.texts, copy.beside.held);
    text.push(format!("{}:", section.title));
    for block in &section.blocks {
        match block {
            Block::List(items) => {
                let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
                text.push(items.join("\n"));
            }
            Block::Paragraph(said) => text.push(said.clone()),
            _ => {}
        }
    }
    let mut out = text.join("\n\n").trim_end().to_owned();
    out.push('\n');
    out.into_bytes()
}

impl Package {
    /// The files, by path; without the manifest.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The list of the files with their hashes: what a signature is over.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// All of it as a ZIP archive.
    pub fn zip(&self) -> Result<Vec<u8>> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(moment(self.at))
            .unix_permissions(0o644);
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let manifest = (manifest::FILE, self.manifest.as_slice());
        let files = self.files.iter().map(|file| (file.path.as_str(), file.bytes.as_slice()));
        for (path, bytes) in std::iter::once(manifest).chain(files) {
            archive.start_file(path, options).map_err(Error::internal)?;
            archive.write_all(bytes).map_err(Error::internal)?;
        }
        Ok(archive.finish().map_err(Error::internal)?.into_inner())
    }
}

/// The same archive with each file under a password (AES-256, as other programs know it). What the
/// files are called can still be read.
pub fn locked(zip: &[u8], password: &str) -> Result<Vec<u8>> {
    let mut open = ZipArchive::new(Cursor::new(zip)).map_err(Error::internal)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..open.len() {
        let mut file = open.by_index(at).map_err(Error::internal)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(file.last_modified().unwrap_or_default())
            .unix_permissions(0o644)
            .with_aes_encryption(AesMode::Aes256, password);
        let name = file.name().map_err(Error::internal)?.into_owned();
        archive.start_file(name, options).map_err(Error::internal)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::internal)?;
        archive.write_all(&bytes).map_err(Error::internal)?;
    }
    Ok(archive.finish().map_err(Error::internal)?.into_inner())
}

/// The time as a ZIP has it, which begins in 1980.
fn moment(at: Timestamp) -> DateTime {
    let at = at.to_zoned(TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(at.year()).unwrap_or_default();
    let (month, day) = (part(at.month()), part(at.day()));
    let (hour, minute, second) = (part(at.hour()), part(at.minute()), part(at.second()));
    DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
}
