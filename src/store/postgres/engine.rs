//! Waits for the network on behalf of threads that block.
//!
//! One thread of a runtime of our own watches sockets and clocks. The thread that asks does the
//! rest itself, and sleeps in between; it may be any thread, also one of another runtime, where
//! `Runtime::block_on` would panic.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::fault::{Fault, Tried};

/// What watches the sockets of a store's connections.
pub(super) struct Engine(Option<Runtime>);

impl Engine {
    /// Starts its thread.
    pub(super) fn start() -> Tried<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("postgres").enable_all();
        builder.build().map(|runtime| Self(Some(runtime))).map_err(Fault::broken)
    }

    /// Works until there is an answer, or for as long as `limit`.
    pub(super) fn wait<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Tried<T> {
        let runtime = self.0.as_ref().ok_or_else(Fault::silent)?;
        let _entered = runtime.enter();
        block_on(timeout(limit, work)).map_err(|_elapsed| Fault::silent())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Dropping it would wait, which a thread of another runtime may not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Polls on this thread, which sleeps until there is a reason to poll again.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    // Within a task of another runtime, sockets would stop after some reads to let others have a
    // turn, and nobody else gets one here.
    let mut work = pin!(tokio::task::unconstrained(work));
    let waker = Waker::from(Arc::new(Sleeper(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
