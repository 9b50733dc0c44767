//! What several features' tests need: servers started for one test.

pub(crate) mod browser;
pub(crate) mod bucket;
pub(crate) mod charts;
pub(crate) mod collector;
pub(crate) mod demo;
pub(crate) mod demo_data;
pub(crate) mod desk;
pub(crate) mod mutate;
pub(crate) mod people;
pub(crate) mod platform;
pub(crate) mod postgres;
pub(crate) mod provider;
pub(crate) mod readers;
pub(crate) mod receiver;
pub(crate) mod redis;
pub(crate) mod served;
pub(crate) mod server;
pub(crate) mod signer;
pub(crate) mod smart;
pub(crate) mod visitor;
