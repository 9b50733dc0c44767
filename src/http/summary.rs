//! `$summary`: the International Patient Summary of what the caller may see
//! (<https://hl7.org/fhir/uv/ips/STU1.1/OperationDefinition-summary.html>).

use std::sync::Arc;

use actix_web::web;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::disclosure::Disclosure;
use super::path::IdPath;
use super::{Refusal, State};
use crate::error::Error;
use crate::exchange::gather::{Part, gather};
use crate::package::SUMMARY_TYPES;
use crate::policy::Obligations;

/// Answers the summary, put together now.
pub(super) async fn summary(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
) -> Result<Answer, Refusal> {
    let others = call.parameters.iter().find(|(name, _)| !matches!(&**name, "_format" | "_pretty"));
    if let Some((name, _)) = others.filter(|_| !call.lenient) {
        return Err(Error::not_supported(name, "$summary takes no parameters: leave it out").into());
    }
    // A document that goes its own way cannot have with it what Part 2 records need.
    let able = Obligations::OF_READING.and(Obligations::ACCOUNT.when(state.audit.is_on()));
    let principal = call.principal.asking_at(state.clock.now(), able);
    let summaries = Arc::clone(&state.summaries);
    let (base, at, id) = (state.base.clone(), state.clock.now(), path.id);
    let summary = state.ask(Size::Many, move |store| {
        let pieces = gather(store, &principal, &id, Part::Types(SUMMARY_TYPES))?;
        summaries.summary(&id, pieces, at, &base)
    });
    let summary = summary.await?;
    let seen = summary
        .shown
        .iter()
        .map(|piece| state.seen(&piece.resource_type, &piece.id, &piece.version, &piece.body));
    let shown = Disclosure { seen: seen.collect(), ..Disclosure::default() };
    Ok(Answer::new(summary.bundle, call.form).showing(shown))
}
