//! The pages of a list: their links, and the cursors in them
//! (<https://hl7.org/fhir/R4/http.html#paging>).

use url::form_urlencoded::Serializer;

use super::State;
use super::call::Call;
use super::parameters::Pairs;
use crate::error::Result;
use crate::fhir::search::Cursor;
use crate::fhir::search::parse::PAGE;

/// A list that is answered page by page.
pub(super) struct Pages<'a> {
    /// What seals the cursors, and the base of the links.
    pub(super) state: &'a State,
    /// Who asks.
    pub(super) call: &'a Call,
    /// The path of the list below the base.
    pub(super) path: String,
    /// The parameters of the list, without the page.
    pub(super) parameters: &'a Pairs,
    /// The page that is asked for, as the previous one's link gave it.
    pub(super) page: Option<&'a str>,
}

impl Pages<'_> {
    /// Where the page that is asked for starts.
    pub(super) fn after(&self) -> Result<Option<Cursor>> {
        let open = |page| self.state.cursors.open(page, &self.context());
        self.page.map(open).transpose()
    }

    /// The links of the page, each with its relation.
    pub(super) fn links(&self, next: Option<&Cursor>) -> Result<Vec<(&'static str, String)>> {
        let mut links = vec![("self", self.url(self.page))];
        if self.page.is_some() || next.is_some() {
            links.push(("first", self.url(None)));
        }
        if let Some(next) = next {
            let next = self.state.cursors.seal(next, &self.context())?;
            links.push(("next", self.url(Some(&next))));
        }
        Ok(links)
    }

    /// What a cursor is bound to: it is of no use for another tenant, caller or list.
    fn context(&self) -> String {
        let principal = &self.call.principal;
        let (tenant, subject, query) = (&principal.tenant, &principal.subject, self.query(None));
        // The length keeps a free part from reaching into the next.
        format!("{tenant}\u{1f}{}\u{1f}{subject}\u{1f}{}?{query}", subject.len(), self.path)
    }

    fn url(&self, page: Option<&str>) -> String {
        let query = self.query(page);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/{}{mark}{query}", self.state.base, self.path)
    }

    fn query(&self, page: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.parameters);
        if let Some(page) = page {
            query.append_pair(PAGE, page);
        }
        query.finish()
    }
}
