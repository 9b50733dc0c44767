//! A page of resources as a Bundle (<https://hl7.org/fhir/R4/bundle.html#searchset>).

use super::pages::Pages;
use crate::error::Result;
use crate::fhir::bundle::{Kind, Mode, Resource, Writer};
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::fhir::subset::View;
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
    /// The page as JSON.
    pub(super) fn encode(&self, page: &Page) -> Result<Vec<u8>> {
        let links = self.pages.links(page.next.as_ref())?;
        let links: Vec<_> = links.iter().map(|(name, url)| (*name, url.as_str())).collect();
        let found = page.matches.iter().chain(&page.included);
        let size = found.map(|resource| resource.body.len() + ENTRY).sum();
        let mut bundle = Writer::new(Kind::Searchset, page.total, &links, size);
        for resource in &page.matches {
            self.add(&mut bundle, resource, Mode::Match, self.view);
        }
        // The elements that are asked for are those of the matches.
        let view = if matches!(self.view, View::Elements(_)) { &View::Whole } else { self.view };
        for resource in &page.included {
            self.add(&mut bundle, resource, Mode::Include, view);
        }
        if !self.ignored.is_empty() {
            bundle.outcome(&ignored(self.ignored)?);
        }
        Ok(bundle.finish())
    }

    fn add(&self, bundle: &mut Writer, resource: &StoredResource, mode: Mode, view: &View) {
        let state = self.pages.state;
        let resource_type = &resource.resource_type;
        let body = view.of(&state.elements, resource_type, &resource.body);
        let (base, id) = (&state.base, resource.id.as_str());
        bundle.found(Resource { base, resource_type, id, body: &body }, mode);
    }
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
