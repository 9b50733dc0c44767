//! A page of resources as a Bundle (<https://hl7.org/fhir/R4/bundle.html#searchset>).

use actix_web::web::Bytes;

use super::content::Content;
use super::pages::Pages;
use super::sheet::Sheet;
use super::terms::Terms;
use crate::error::Result;
use crate::fhir::bundle::{Kind, Mode, Resource, Writer};
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::fhir::search::Cursor;
use crate::fhir::subset::View;
use crate::policy::HighWater;
use crate::store::{Page, StoredResource};

/// How many bytes an entry has beside its resource, roughly.
const ENTRY: usize = 192;

/// What a page is part of, and how it is shown.
pub(super) struct Searchset<'a> {
    /// The list.
    pub(super) pages: &'a Pages<'a>,
    /// How much of each match is shown.
    pub(super) view: &'a View,
    /// The names of the parameters that were ignored.
    pub(super) ignored: &'a [String],
}

impl Searchset<'_> {
    /// A page that was kept as JSON. It is shown whole, and nothing came along with it.
    pub(super) fn around(&self, sheet: Sheet) -> Result<Content> {
        let head = self.head(sheet.next.as_ref(), None, 0, &sheet.labels)?;
        let (before, mut after) = head.around(&sheet.entries);
        if let Some(notice) = &sheet.notice {
            after.outcome(notice);
        }
        if !self.ignored.is_empty() {
            after.outcome(&ignored(self.ignored)?);
        }
        let (before, after) = (Bytes::from(before), Bytes::from(after.finish()));
        Ok(Content::Parts([before, sheet.entries, after].into()))
    }

    /// The page as JSON.
    pub(super) fn encode(&self, page: &Page, terms: &Terms) -> Result<Vec<u8>> {
        let size = size(page.matches.iter().chain(&page.included));
        let mut bundle = self.head(page.next.as_ref(), page.total, size, &terms.labels)?;
        for resource in &page.matches {
            self.add(&mut bundle, resource, Mode::Match, self.view);
        }
        // The elements that are asked for are those of the matches.
        let view = if matches!(self.view, View::Elements(_)) { &View::Whole } else { self.view };
        for resource in &page.included {
            self.add(&mut bundle, resource, Mode::Include, view);
        }
        for consent in terms.consents.iter().filter(|consent| !page.holds(consent)) {
            self.add(&mut bundle, consent, Mode::Include, &View::Whole);
        }
        if let Some(notice) = terms.outcome(&self.pages.state.base)? {
            bundle.outcome(&notice);
        }
        if !self.ignored.is_empty() {
            bundle.outcome(&ignored(self.ignored)?);
        }
        Ok(bundle.finish())
    }

    /// The Bundle without its entries.
    fn head(
        &self,
        next: Option<&Cursor>,
        total: Option<u64>,
        size: usize,
        labels: &HighWater,
    ) -> Result<Writer> {
        let links = self.pages.links(next)?;
        let links: Vec<_> = links.iter().map(|(name, url)| (*name, url.as_str())).collect();
        Ok(Writer::new(Kind::Searchset, total, &links, size).labelled(&labels.json()))
    }

    fn add(&self, bundle: &mut Writer, resource: &StoredResource, mode: Mode, view: &View) {
        let state = self.pages.state;
        let resource_type = &resource.resource_type;
        let body = view.of(&state.elements, resource_type, &resource.body);
        let (base, id) = (&state.base, resource.id.as_str());
        bundle.found(Resource { base, resource_type, id, body: &body }, mode);
    }
}

/// How many bytes the entries of resources have, roughly.
pub(super) fn size<'a>(resources: impl Iterator<Item = &'a StoredResource>) -> usize {
    resources.map(|resource| resource.body.len() + ENTRY).sum()
}

/// Says which parameters were ignored.
fn ignored(names: &[String]) -> Result<Vec<u8>> {
    outcome::encode(vec![Issue {
        code: IssueType::NotSupported,
        text: format!("these parameters were ignored: {}", names.join(", ")),
        expression: None,
        refused: false,
    }])
}
