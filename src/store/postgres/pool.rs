//! Connections of one kind: kept while idle, made when needed, never more than a bound.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::address::Address;
use super::engine::Engine;
use super::fault::{Fault, Tried};
use super::session::{Limits, Session};

/// Connections with the same limits.
pub(super) struct Pool {
    engine: Arc<Engine>,
    address: Address,
    limits: Limits,
    most: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    /// Those in use.
    lent: usize,
}

impl Pool {
    /// A pool without connections yet.
    pub(super) fn new(engine: Arc<Engine>, address: Address, limits: Limits, most: usize) -> Self {
        Self { engine, address, limits, most, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Does something over a connection. If that turns out to have died while it was idle, as all
    /// have after a restart of the server, it is done over a new one.
    pub(super) fn run<T>(&self, work: impl Fn(&mut Session) -> Tried<T>) -> Tried<T> {
        let mut pooled = self.take()?;
        match work(pooled.session()?) {
            Err(fault) if fault.is_lost() && !pooled.is_new => {
                pooled.renew()?;
                work(pooled.session()?)
            }
            other => other,
        }
    }

    /// Takes a connection, and waits for one if all are in use.
    pub(super) fn take(&self) -> Tried<Pooled<'_>> {
        let mut state = self.wait_for_room()?;
        state.lent += 1;
        let idle = state.idle.pop();
        drop(state);
        // From here on dropping it gives the place back.
        let mut pooled = Pooled { pool: self, session: idle, is_new: false, is_open: false };
        if pooled.session.is_none() {
            pooled.connect()?;
        }
        Ok(pooled)
    }

    fn wait_for_room(&self) -> Tried<MutexGuard<'_, State>> {
        let deadline = Instant::now() + self.limits.connect;
        let mut state = self.state();
        while state.lent >= self.most {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::crowded());
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to its pool when dropped.
pub(super) struct Pooled<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    is_new: bool,
    /// Whether a transaction is open, so that it may not go back.
    is_open: bool,
}

impl Pooled<'_> {
    /// Whether it was made for this use, so that what fails over it would fail over another.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Says whether a transaction is open.
    pub(super) fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    /// Replaces a dead connection. Those that are idle are of the same age, and go too.
    pub(super) fn renew(&mut self) -> Tried<()> {
        self.session = None;
        let dead = std::mem::take(&mut self.pool.state().idle);
        drop(dead);
        self.connect()
    }

    fn connect(&mut self) -> Tried<()> {
        self.session =
            Some(Session::open(&self.pool.engine, &self.pool.address, self.pool.limits)?);
        self.is_new = true;
        Ok(())
    }

    /// The connection, which is there but within `renew`.
    pub(super) fn session(&mut self) -> Tried<&mut Session> {
        self.session.as_mut().ok_or_else(Fault::silent)
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let is_open = self.is_open;
        let kept = self.session.take().filter(|session| session.is_alive() && !is_open);
        let mut state = self.pool.state();
        state.lent -= 1;
        state.idle.extend(kept);
        drop(state);
        self.pool.freed.notify_one();
    }
}
