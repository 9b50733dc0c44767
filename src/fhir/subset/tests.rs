//! Parts of an Encounter and of an Observation.

use serde_json::{Value, json};

use super::*;

fn encounter() -> Value {
    json!({
        "resourceType": "Encounter", "id": "e1",
        "meta": {"versionId": "1", "tag": [{"code": "x"}]},
        "language": "en", "text": {"status": "generated", "div": "<div/>"},
        "modifierExtension": [{"url": "u"}],
        "status": "finished", "_status": {"id": "s"},
        "class": {"code": "VR"},
        "participant": [{"type": [{"text": "t"}], "period": {"start": "2026"}, "individual": {"reference": "P/1"}},
                        {"period": {"start": "2026"}}],
        "period": {"start": "2026"},
        "location": [{"location": {"reference": "Location/1"}, "status": "active"}]
    })
}

fn shown(view: &View, resource: &Value) -> Value {
    let name = resource["resourceType"].as_str().unwrap();
    let text = resource.to_string();
    let part = view.of(&Elements::new(), name, text.as_bytes());
    serde_json::from_slice(&part).unwrap()
}

fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_summary_has_what_is_marked_so_also_within_backbone_elements() {
    let part = shown(&View::Summary, &encounter());
    let expected = [
        "_status",
        "class",
        "id",
        "meta",
        "modifierExtension",
        "participant",
        "resourceType",
        "status",
    ];
    assert_eq!(names(&part), expected);
    let participant = json!([{"type": [{"text": "t"}], "individual": {"reference": "P/1"}}]);
    assert_eq!(part["participant"], participant);
    let mut bare = encounter();
    bare["participant"] = json!([{"period": {"start": "2026"}}]);
    assert!(shown(&View::Summary, &bare).get("participant").is_none(), "no element is empty");
}

#[test]
fn a_part_is_tagged_and_keeps_the_tags_it_had() {
    for view in [View::Summary, View::Text, View::Data, View::Elements(vec!["period".into()])] {
        let part = shown(&view, &encounter());
        assert_eq!(part["meta"]["versionId"], "1", "{view:?}");
        assert_eq!(part["meta"]["tag"][0], json!({"code": "x"}), "{view:?}");
        assert_eq!(part["meta"]["tag"][1]["code"], "SUBSETTED", "{view:?}");
        let bare = shown(&view, &json!({"resourceType": "Encounter", "id": "e1"}));
        assert_eq!(bare["meta"]["tag"][0]["code"], "SUBSETTED", "{view:?}");
    }
    assert_eq!(shown(&View::Whole, &encounter()), encounter());
}

#[test]
fn text_and_data_are_the_narrative_and_the_rest() {
    let expected = ["_status", "class", "id", "meta", "resourceType", "status", "text"];
    assert_eq!(names(&shown(&View::Text, &encounter())), expected);
    let mut data = encounter();
    data.as_object_mut().unwrap().remove("text");
    assert_eq!(names(&shown(&View::Data, &encounter())), names(&data));
}

#[test]
fn elements_come_with_those_that_are_required_or_change_the_meaning() {
    let table = Elements::new();
    let view = View::elements(&table, "Encounter", "period, location").unwrap();
    let part = shown(&view, &encounter());
    let expected = [
        "_status",
        "class",
        "id",
        "location",
        "meta",
        "modifierExtension",
        "period",
        "resourceType",
        "status",
    ];
    assert_eq!(names(&part), expected);
    assert_eq!(part["location"], encounter()["location"]);
    for name in ["value", "value[x]", "valueQuantity"] {
        let view = View::elements(&table, "Observation", name).unwrap();
        let observation = json!({
            "resourceType": "Observation", "id": "o", "status": "final", "code": {},
            "valueQuantity": {"value": 1}, "subject": {"reference": "Patient/1"}
        });
        let expected = ["code", "id", "meta", "resourceType", "status", "valueQuantity"];
        assert_eq!(names(&shown(&view, &observation)), expected, "{name}");
    }
    for name in ["", "colour", "period.start", "stat", "statusX", "Encounter.period", "status,"] {
        assert!(View::elements(&table, "Encounter", name).is_err(), "{name}");
    }
}
