//! Watching a transfer whose receiver is given a link: whether it was opened, and whether it still may.
//!
//! Whoever opens the link has taken the copy (*transport*) and can read it (*application*). Until then
//! consent that ends, the transfer's own end and whoever stops it take the link back.

use super::sending::{BY, Next, Sending};
use super::transfer::Transfer;
use super::{LINK, Step, written};
use crate::error::Result;
use crate::exchange::jobs::Task;
use crate::exchange::transfers::kept::Attempt;
use crate::policy::transfer::{Event, State};
use crate::store::{Link, LinkState};

impl Sending {
    /// What is to be done about it now. `is_last` says that it was not handed out again since.
    pub(super) fn watch(&self, task: &Task, transfer: &Transfer, is_last: bool) -> Result<Next> {
        let (tenant, now) = (&task.job().new.tenant, task.now());
        let name = transfer.link.clone().filter(|_| is_last);
        let Some(name) = name else { return Ok(Next::Nothing) };
        let state = transfer.state;
        if state != State::Ready && !state.is_awaited() {
            // Whoever looks after the person may read on; for all others it is over.
            let is_over = state != State::Completed;
            return Ok(if is_over { Next::Close(name) } else { Next::Nothing });
        }
        let may_have = self.transfers.may_have(tenant, transfer, now)?;
        if state.is_awaited() {
            if may_have {
                return Ok(Next::Follow);
            }
            self.say(task, transfer, Event::EndedAfter, Step::by(BY))?;
            return Ok(Next::Close(name));
        }
        let Some(link) = self.transfers.store.link_named(tenant, &name)? else {
            return self.end_link(task, transfer, (Event::Fail, Some("link_gone")), &name);
        };
        if link.opened > 0 {
            return self.opened(task, transfer, &link);
        }
        let is_over = transfer.expires.is_some_and(|expires| expires <= now);
        let end = match link.state(now) {
            _ if !may_have => (Event::ConsentEnded, None),
            LinkState::Expired => (Event::Expire, None),
            _ if is_over => (Event::Expire, None),
            LinkState::Locked => (Event::Fail, Some("passcode_locked")),
            LinkState::Revoked => (Event::Fail, Some("link_taken_back")),
            LinkState::Waiting | LinkState::Opened | LinkState::Spent => return Ok(Next::Follow),
        };
        self.end_link(task, transfer, end, &name)
    }

    /// Takes the link back and writes down why; unless somebody opened it at the last moment.
    fn end_link(
        &self,
        task: &Task,
        transfer: &Transfer,
        (event, why): (Event, Option<&str>),
        name: &str,
    ) -> Result<Next> {
        let tenant = &task.job().new.tenant;
        let store = &self.transfers.store;
        store.revoke_link(tenant, name, task.now())?;
        let link = store.link_named(tenant, name)?;
        if let Some(link) = link.filter(|link| link.opened > 0) {
            return self.opened(task, transfer, &link);
        }
        let step = Step { why: why.map(str::to_owned), ..Step::by(BY) };
        self.say(task, transfer, event, step)?;
        Ok(Next::Close(name.to_owned()))
    }

    /// The receiver has it.
    fn opened(&self, task: &Task, transfer: &Transfer, link: &Link) -> Result<Next> {
        let at = written(link.last.unwrap_or_else(|| task.now()));
        let attempt = Attempt { at, channel: LINK.to_owned(), http_status: None, error: None };
        let step = Step { attempt: Some(attempt), ..Step::by(BY) };
        self.say(task, transfer, Event::Delivered, step)?;
        self.say(task, transfer, Event::Understood, Step::by(BY))?;
        Ok(Next::Follow)
    }
}
