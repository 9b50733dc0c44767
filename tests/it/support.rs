//! What several features' tests need: servers started for one test.

pub(crate) mod demo;
pub(crate) mod demo_data;
pub(crate) mod desk;
pub(crate) mod mutate;
pub(crate) mod platform;
pub(crate) mod postgres;
pub(crate) mod readers;
pub(crate) mod redis;
pub(crate) mod server;
