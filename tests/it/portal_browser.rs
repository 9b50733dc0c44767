//! The portal in a real browser: inspected by axe at three widths, in both themes and languages, and
//! used by keyboard alone.

use serde_json::json;

use crate::handovers::prepared;
use crate::record_copy::{KARIN, office, with_notes};
use crate::support::browser::{drive, tools};
use crate::support::people::{ELLIE, LUCIA, MARISOL, demo_practice};

#[test]
fn a_client_looks_at_the_record_and_asks_for_a_copy_without_a_mouse() {
    let server = demo_practice();
    let settings = json!({ "origin": server.origin(), "ellie": ELLIE, "lucia": LUCIA });
    let saw = drive("portal.mjs", &settings);
    assert_eq!(saw["inspected"], 20, "{saw}");
    assert_ne!(saw["consent"]["opened"], "–", "the preview counts what would be seen: {saw}");
    assert!(saw["due"].as_str().unwrap().contains("days left"), "{saw}");
    assert!(saw["points"].as_u64().unwrap() > 3, "the scores are drawn: {saw}");
    assert_eq!(saw["printed"]["tabs"], "none", "what cannot be used on paper is not printed");
    let found = server.app.requests().of_client(&"hv".parse().unwrap(), ELLIE).unwrap();
    assert_eq!(found.len(), 1, "{saw}");
    assert_eq!(found[0].scope.format.as_deref(), Some("pdf"), "what was chosen by keyboard");
}

#[test]
fn a_request_goes_from_the_client_over_the_desk_to_the_copy_and_the_log_without_a_mouse() {
    let server = office();
    with_notes(&server);
    let transfer = prepared(&server);
    let settings = json!({
        "origin": server.origin(), "ellie": ELLIE, "lucia": LUCIA, "karin": KARIN,
        "marisol": MARISOL, "transfer": transfer,
    });
    let saw = drive("desk.mjs", &settings);
    assert_eq!(saw["inspected"], 16, "{saw}");
    assert!(saw["handed"].as_str().unwrap().contains("Signed off"), "three clicks: {saw}");
    assert_eq!(saw["name"], "record.zip");
    assert_eq!(saw["logged"], true, "the log shows it: {saw}");
    assert!(saw["title"].as_str().unwrap().starts_with("My record"), "no script ran: {saw}");
}

#[test]
fn lighthouse_finds_nothing_wrong_with_the_portals_main_pages_and_finds_them_fast() {
    let lighthouse = tools().join("lighthouse");
    assert!(lighthouse.exists(), "the npm package lighthouse is not installed: tests/run does it");
    let server = demo_practice();
    let pages = ["/portal", "/portal/plan", "/portal/ask?type=access", "/portal/requests"];
    let settings = json!({ "origin": server.origin(), "ellie": ELLIE, "pages": pages });
    let saw = drive("lighthouse.mjs", &settings);
    for page in pages {
        let seen = &saw[page];
        assert_eq!(seen["accessibility"], 100, "{page}: {seen}");
        let performance = seen["performance"].as_u64().unwrap();
        assert!(performance >= 95, "{page}: {seen}");
    }
}
