//! `Group/roster`: whom the caller may see, as a list that a bulk export names.
//!
//! It is made anew for each caller, so that nobody finds anybody on it whom they do not know.

use actix_web::web;
use serde_json::json;

use super::answer::Answer;
use super::asking::Size;
use super::bulk::ROSTER;
use super::call::Call;
use super::disclosure::{Disclosure, Seen};
use super::path::IdPath;
use super::{Refusal, State};
use crate::error::Error;
use crate::policy::{Action, Permit};
use crate::store::Store;

/// Answers the roster.
pub(super) async fn group(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
) -> Result<Answer, Refusal> {
    let permit = Permit::decide(&call.principal, Action::Search, "Patient")?;
    if path.id.as_str() != ROSTER {
        return Err(Error::NotFound.into());
    }
    let question = move |store: &dyn Store| store.roster(&permit);
    let members = state.ask(Size::Many, question).await?;
    let member = |id| json!({ "entity": { "reference": format!("Patient/{id}") } });
    let listed: Vec<_> = members.iter().map(member).collect();
    let mut group = json!({
        "resourceType": "Group",
        "id": ROSTER,
        "active": true,
        "type": "person",
        "actual": true,
        "name": "Those whose records this caller may see",
        "quantity": members.len(),
    });
    if let Some(group) = group.as_object_mut().filter(|_| !listed.is_empty()) {
        group.insert("member".to_owned(), listed.into());
    }
    let seen =
        Seen { resource_type: "Group".into(), id: path.id, version: String::new(), patient: None };
    let shown = Disclosure { patients: members, ..Disclosure::of(seen) };
    Ok(Answer::new(group.to_string().into_bytes(), call.form).showing(shown))
}
