//! Whatever the CapabilityStatement declares works: each parameter finds the served resource that
//! its value was taken from and exactly those that have the value too, and so do its modifiers,
//! and each include brings along exactly what is referred to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use throughline::fhir::search::param::{self, Form, Param};
use throughline::fhir::search::{ParamKind, date};
use url::form_urlencoded::byte_serialize;

use crate::support::demo_data::{all, at, included, matches, serve};
use crate::support::server::Server;

type Resources = BTreeMap<String, Vec<Value>>;

fn texts(value: &Value, path: &str) -> Vec<String> {
    at(value, path).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The parts of a name or an address that people search for.
fn words_of(parts: &Value) -> Vec<&str> {
    let is_said = |name: &str| !["use", "period", "type"].contains(&name);
    let said = parts.as_object().unwrap().iter().filter(|(name, _)| is_said(name));
    said.flat_map(|(_, part)| match part {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    })
    .collect()
}

/// What a value is searched by, written as a parameter is, without escapes for the URL.
fn written(param: &Param, value: &Value) -> Vec<String> {
    let escape = |text: &str| {
        ["\\", ",", "|", "$"]
            .iter()
            .fold(text.to_owned(), |text, c| text.replace(c, &format!("\\{c}")))
    };
    let code = |system: &Value, code: &Value| {
        let code = code.as_str().map(escape);
        code.map(|code| format!("{}|{code}", system.as_str().unwrap_or_default()))
    };
    match param.kind {
        ParamKind::Token => match value {
            Value::Bool(flag) => vec![flag.to_string()],
            Value::String(text) => vec![format!("{}|{}", param.system, escape(text))],
            _ => {
                let codings = value["coding"].as_array().cloned();
                let codings = codings.unwrap_or_else(|| vec![value.clone()]);
                let value = |c: &Value| {
                    if c["code"].is_null() { c["value"].clone() } else { c["code"].clone() }
                };
                codings.iter().filter_map(|c| code(&c["system"], &value(c))).collect()
            }
        },
        ParamKind::Reference => {
            let text = value.as_str().or_else(|| value["reference"].as_str());
            let text = text.map(|text| text.split("/_history/").next().unwrap());
            let fits = |text: &&str| {
                text.contains("://") || param.refers_to(text.split('/').next().unwrap())
            };
            text.filter(fits)
                .map(|text| text.split('|').next().unwrap().to_owned())
                .into_iter()
                .collect()
        }
        // A period may be open, so that no date is the whole of it.
        ParamKind::Date => {
            let bound = |prefix: &str, name: &str| {
                value[name].as_str().map(|text| format!("{prefix}{text}"))
            };
            let whole = value.as_str().map(str::to_owned);
            let asked = whole.or_else(|| bound("ge", "start")).or_else(|| bound("le", "end"));
            asked.into_iter().collect()
        }
        ParamKind::Text => match value {
            Value::String(text) => vec![escape(text)],
            parts => words_of(parts).into_iter().map(escape).collect(),
        },
        ParamKind::Quantity => {
            let text = |name: &str| value[name].as_str().unwrap_or_default();
            let (system, code) = (text("system"), escape(text("code")));
            vec![format!("{}|{system}|{code}", value["value"])]
        }
        ParamKind::Uri => value
            .as_str()
            .map(|text| text.split('|').next().unwrap().to_owned())
            .into_iter()
            .collect(),
        ParamKind::Composite => Vec::new(),
    }
}

/// Everything by which a parameter should find a resource.
fn values(kind: &str, param: &Param, resource: &Value) -> BTreeSet<String> {
    let of = |param: &Param, value: &Value| -> BTreeSet<String> {
        let paths = param.paths.iter().flat_map(|path| at(value, path));
        paths.flat_map(|value| written(param, value)).collect()
    };
    match param.form {
        Form::Values => of(param, resource),
        Form::Truth => {
            let found = of(param, resource);
            BTreeSet::from([found.iter().any(|value| value != "false").to_string()])
        }
        Form::Pair(parts) => {
            let kind = param::search_type(kind).unwrap();
            let [first, second] = parts.map(|name| *kind.param(name).unwrap().1);
            let elements = match param.paths {
                [] => vec![resource],
                paths => paths.iter().flat_map(|path| at(resource, path)).collect(),
            };
            let within = |param: &Param, outer: &[&str], element: &Value| -> BTreeSet<String> {
                let relative = |path: &&'static str| {
                    let inner = outer.first().and_then(|outer| path.strip_prefix(outer));
                    inner.map_or(*path, |inner| inner.trim_start_matches('.'))
                };
                let paths = param.paths.iter().map(relative);
                let values = paths.flat_map(|path| at(element, path));
                values.flat_map(|value| written(param, value)).collect()
            };
            let mut pairs = BTreeSet::new();
            for element in elements {
                for left in within(&first, param.paths, element) {
                    for right in within(&second, param.paths, element) {
                        pairs.insert(format!("{left}${right}"));
                    }
                }
            }
            pairs
        }
    }
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a resource with these values is found by one of them.
fn meets(kind: ParamKind, values: &BTreeSet<String>, asked: &str) -> bool {
    match kind {
        ParamKind::Text => values.iter().any(|value| plain(value).starts_with(&plain(asked))),
        _ => values.contains(asked),
    }
}

fn ids(resources: &[Value]) -> BTreeSet<String> {
    resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// The ids that a search finds, each once.
async fn found(server: &Server, query: &str) -> BTreeSet<String> {
    let matches = matches(server, &format!("{query}&_count=1000")).await;
    let found = ids(&matches);
    assert_eq!(found.len(), matches.len(), "{query} gives a resource twice");
    found
}

async fn everything(server: &Server) -> Resources {
    let mut resources = Resources::new();
    for kind in param::TYPES {
        resources.insert(kind.name.to_owned(), all(server, kind.name).await);
    }
    resources
}

async fn statement(server: &Server) -> Vec<Value> {
    let statement = server.get("metadata").await.json();
    statement["rest"][0]["resource"].as_array().unwrap().clone()
}

fn names(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

/// Searches by some values of a parameter, and by its absence.
async fn parameter(server: &Server, kind: &str, name: &str, resources: &[Value]) {
    let param = *param::search_type(kind).unwrap().param(name).unwrap().1;
    let with: Vec<(String, BTreeSet<String>)> = resources
        .iter()
        .map(|resource| {
            (resource["id"].as_str().unwrap().to_owned(), values(kind, &param, resource))
        })
        .collect();
    let distinct: BTreeSet<&String> = with.iter().flat_map(|(_, values)| values).collect();
    if distinct.is_empty() && param.kind == ParamKind::Token {
        return words(server, kind, &param, name, resources).await;
    }
    if distinct.is_empty() && param.kind == ParamKind::Reference {
        return identified(server, kind, &param, name, resources).await;
    }
    assert!(!distinct.is_empty(), "{kind}.{name} is declared, but nothing served has it");
    // The first, the last and one in the middle stand for all.
    let all: Vec<&&String> = distinct.iter().collect();
    for asked in BTreeSet::from([all[0], all[all.len() / 2], all[all.len() - 1]]) {
        let expected: BTreeSet<String> = match param.kind {
            ParamKind::Date => of_date(kind, &param, resources, asked),
            kind => {
                let hits = with.iter().filter(|(_, values)| meets(kind, values, asked));
                hits.map(|(id, _)| id.clone()).collect()
            }
        };
        assert!(!expected.is_empty(), "{kind}.{name}={asked}");
        let query = format!("{kind}?{name}={}", encoded(asked));
        assert_eq!(found(server, &query).await, expected, "{query}");
        modifiers(server, kind, &param, name, asked, (&with, &expected)).await;
    }
    if param.kind == ParamKind::Composite {
        return;
    }
    let has = |(_, values): &&(String, BTreeSet<String>)| !values.is_empty();
    let present = found(server, &format!("{kind}?{name}:missing=false")).await;
    let missing = found(server, &format!("{kind}?{name}:missing=true")).await;
    // A token may be but a text, and a reference but an identifier.
    let sure: BTreeSet<String> = with.iter().filter(has).map(|(id, _)| id.clone()).collect();
    assert!(present.is_superset(&sure), "{kind}.{name}");
    assert!(present.is_disjoint(&missing), "{kind}.{name}");
    assert_eq!(present.len() + missing.len(), resources.len(), "{kind}.{name}");
}

/// Searches by the words of a token that has no codes here.
async fn words(server: &Server, kind: &str, param: &Param, name: &str, resources: &[Value]) {
    let said = |resource: &Value| -> BTreeSet<String> {
        let concepts = param.paths.iter().flat_map(|path| at(resource, path));
        concepts.filter_map(|concept| concept["text"].as_str()).map(plain).collect()
    };
    let all: BTreeSet<String> = resources.iter().flat_map(said).collect();
    assert!(!all.is_empty(), "{kind}.{name} is declared, but nothing served has it");
    let asked = all.first().unwrap();
    let hits = resources
        .iter()
        .filter(|resource| said(resource).iter().any(|text| text.starts_with(asked.as_str())));
    let hits: Vec<Value> = hits.cloned().collect();
    let query = format!("{kind}?{name}:text={}", encoded(asked));
    assert_eq!(found(server, &query).await, ids(&hits), "{query}");
    let missing = found(server, &format!("{kind}?{name}:missing=true")).await;
    let silent = resources.iter().filter(|resource| said(resource).is_empty());
    assert_eq!(missing, ids(&silent.cloned().collect::<Vec<_>>()), "{kind}.{name}:missing");
}

/// Searches by an identifier of what is referred to only by identifiers here.
async fn identified(server: &Server, kind: &str, param: &Param, name: &str, resources: &[Value]) {
    let named = |resource: &Value| -> BTreeSet<String> {
        let references = param.paths.iter().flat_map(|path| at(resource, path));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        references
            .filter_map(|reference| {
                let identifier = &reference["identifier"];
                Some(format!("{}|{}", text(&identifier["system"])?, text(&identifier["value"])?))
            })
            .collect()
    };
    let all: BTreeSet<String> = resources.iter().flat_map(named).collect();
    assert!(!all.is_empty(), "{kind}.{name} is declared, but nothing served has it");
    let asked = all.first().unwrap();
    let hits = resources.iter().filter(|resource| named(resource).contains(asked)).cloned();
    let query = format!("{kind}?{name}:identifier={}", encoded(asked));
    assert_eq!(found(server, &query).await, ids(&hits.collect::<Vec<_>>()), "{query}");
}

/// The resources whose date is within the one that is asked for.
fn of_date(kind: &str, param: &Param, resources: &[Value], asked: &str) -> BTreeSet<String> {
    assert!(param.form == Form::Values, "{kind}");
    let (prefix, plain) = match asked.get(..2) {
        Some(prefix @ ("ge" | "le")) => (prefix, &asked[2..]),
        _ => ("eq", asked),
    };
    let (low, high) = date::range(plain).unwrap();
    let within = |value: &&Value| {
        let (start, end) = match value.as_str() {
            Some(text) => (Some(text), Some(text)),
            None => (value["start"].as_str(), value["end"].as_str()),
        };
        let from = start.map_or(i64::MIN, |text| date::range(text).unwrap().0);
        let to = end.map_or(i64::MAX, |text| date::range(text).unwrap().1);
        let is_within = from >= low && to <= high;
        is_within || (prefix == "ge" && to > high) || (prefix == "le" && from < low)
    };
    let hits = resources.iter().filter(|resource| {
        param.paths.iter().flat_map(|path| at(resource, path)).any(|value| within(&value))
    });
    hits.map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

/// Searches by a value with each modifier that its kind has.
async fn modifiers(
    server: &Server,
    kind: &str,
    param: &Param,
    name: &str,
    asked: &str,
    (with, expected): (&[(String, BTreeSet<String>)], &BTreeSet<String>),
) {
    let by = |modifier: &str, value: &str| format!("{kind}?{name}:{modifier}={}", encoded(value));
    let some = |test: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        let hits = with.iter().filter(|(_, values)| values.iter().any(|value| test(value)));
        hits.map(|(id, _)| id.clone()).collect()
    };
    match param.kind {
        ParamKind::Token => {
            let others = found(server, &by("not", asked)).await;
            assert!(others.is_disjoint(expected), "{kind}.{name}:not");
            assert_eq!(others.len() + expected.len(), with.len(), "{kind}.{name}:not={asked}");
            // The code alone, and its system alone.
            if let Some((system, code)) = asked.split_once('|') {
                let code = some(&|value| value.split_once('|').is_some_and(|(_, c)| c == code));
                let query = format!("{kind}?{name}={}", encoded(asked.split_once('|').unwrap().1));
                assert_eq!(found(server, &query).await, code, "{query}");
                if !system.is_empty() {
                    let of = some(&|value| value.starts_with(&format!("{system}|")));
                    let query = format!("{kind}?{name}={}", encoded(&format!("{system}|")));
                    assert_eq!(found(server, &query).await, of, "{query}");
                }
            }
        }
        ParamKind::Text => {
            let exact = some(&|value| value == asked);
            assert_eq!(found(server, &by("exact", asked)).await, exact, "{kind}.{name}:exact");
            let inner: String = asked.chars().skip(1).collect();
            if !plain(&inner).is_empty() && !inner.starts_with(['\\', ',', '|', '$']) {
                let holds = some(&|value| plain(value).contains(&plain(&inner)));
                let query = by("contains", &inner);
                assert_eq!(found(server, &query).await, holds, "{query}");
            }
        }
        ParamKind::Reference if !asked.contains("://") => {
            let (target, id) = asked.split_once('/').unwrap();
            assert_eq!(&found(server, &by(target, id)).await, expected, "{kind}.{name}:{target}");
            let absolute = format!("{}/{asked}", server.base);
            let query = format!("{kind}?{name}={}", encoded(&absolute));
            assert_eq!(&found(server, &query).await, expected, "{query}");
        }
        ParamKind::Uri => {
            let above = asked.rsplit_once('/').unwrap().0;
            let below = some(&|value| value == above || value.starts_with(&format!("{above}/")));
            assert_eq!(found(server, &by("below", above)).await, below, "{kind}.{name}:below");
            let query = by("above", &format!("{asked}/x"));
            assert!(found(server, &query).await.is_superset(expected), "{query}");
        }
        _ => {}
    }
}

#[tokio::test]
async fn each_parameter_finds_what_has_its_value_and_nothing_else() {
    let server = serve();
    let resources = everything(&server).await;
    let mut searched = 0;
    for declared in statement(&server).await {
        let kind = declared["type"].as_str().unwrap();
        // The audit is no part of the records that the demo takes in, and has tests of its own.
        if kind == "AuditEvent" {
            continue;
        }
        for param in declared["searchParam"].as_array().into_iter().flatten() {
            let name = param["name"].as_str().unwrap();
            assert!(param["definition"].as_str().is_some(), "{kind}.{name} has no definition");
            match name {
                "_id" => {
                    let id = resources[kind][0]["id"].as_str().unwrap();
                    let query = format!("{kind}?_id={id}");
                    assert_eq!(found(&server, &query).await, BTreeSet::from([id.to_owned()]));
                }
                "_lastUpdated" => {
                    let at = resources[kind][0]["meta"]["lastUpdated"].as_str().unwrap();
                    let same = resources[kind].iter().filter(|r| r["meta"]["lastUpdated"] == at);
                    let same: Vec<Value> = same.cloned().collect();
                    let query = format!("{kind}?_lastUpdated={at}");
                    assert_eq!(found(&server, &query).await, ids(&same), "{query}");
                }
                _ => parameter(&server, kind, name, &resources[kind]).await,
            }
            searched += 1;
        }
    }
    assert!(searched > 200, "{searched}");
}

/// The resources that these refer to by a parameter.
fn referred(kind: &str, name: &str, from: &[Value]) -> BTreeSet<String> {
    let params = param::search_type(kind).unwrap().numbered().map(|(_, param)| param);
    let is_it = |param: &&Param| match name {
        "*" => param.kind == ParamKind::Reference,
        one => param.name == one || param.alias == Some(one),
    };
    let params: Vec<&Param> = params.filter(is_it).collect();
    assert!(!params.is_empty(), "{kind}:{name}");
    let mut referred = BTreeSet::new();
    for resource in from {
        referred.extend(params.iter().flat_map(|param| values(kind, param, resource)));
    }
    referred
}

fn keys(resources: &[Value]) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    resources.iter().map(|r| format!("{}/{}", text(&r["resourceType"]), text(&r["id"]))).collect()
}

#[tokio::test]
async fn each_include_brings_along_what_is_referred_to_and_nothing_else() {
    let server = serve();
    let resources = everything(&server).await;
    let known: BTreeSet<String> = resources.values().flat_map(|all| keys(all)).collect();
    let mut brought = 0;
    for declared in statement(&server).await {
        let kind = declared["type"].as_str().unwrap();
        for include in declared["searchInclude"].as_array().into_iter().flatten() {
            let include = include.as_str().unwrap();
            let (source, name) = include.split_once(':').unwrap();
            assert_eq!(source, kind);
            let mut expected = referred(kind, name, &resources[kind]);
            expected.retain(|key| known.contains(key));
            // What is a match itself does not come again.
            expected.retain(|key| !key.starts_with(&format!("{kind}/")));
            let query = format!("{kind}?_count=1000&_include={include}");
            assert_eq!(keys(&included(&server, &query).await), expected, "{query}");
            brought += expected.len();
        }
        for include in declared["searchRevInclude"].as_array().into_iter().flatten() {
            let include = include.as_str().unwrap();
            let (source, name) = include.split_once(':').unwrap();
            let here: BTreeSet<String> = keys(&resources[kind]);
            let refers = |r: &&Value| {
                let to = referred(source, name, std::slice::from_ref(*r));
                source != kind && to.iter().any(|key| here.contains(key))
            };
            let expected: Vec<Value> = resources[source].iter().filter(refers).cloned().collect();
            let query = format!("{kind}?_count=1000&_revinclude={include}");
            assert_eq!(keys(&included(&server, &query).await), keys(&expected), "{query}");
            brought += expected.len();
        }
    }
    assert!(brought > 1000, "{brought}");
}

#[tokio::test]
async fn each_combination_is_of_declared_parameters() {
    let server = serve();
    let mut seen = 0;
    for declared in statement(&server).await {
        let params = names(&declared["searchParam"], "name");
        for extension in declared["extension"].as_array().into_iter().flatten() {
            assert!(extension["url"].as_str().unwrap().ends_with("parameter-combination"));
            for name in names(&extension["extension"], "valueString") {
                assert!(params.contains(&name), "{} {name}", declared["type"]);
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[tokio::test]
async fn codes_of_a_value_set_and_identifiers_of_a_type_are_found() {
    let server = serve();
    let encounters = all(&server, "Encounter").await;
    let base = "https://throughline.example/fhir/ValueSet";
    let query = format!("Encounter?status:in={base}/session-status");
    assert_eq!(found(&server, &query).await, ids(&encounters));
    let query = format!("Encounter?status:not-in={base}/session-status");
    assert_eq!(found(&server, &query).await, BTreeSet::new());
    let refused = server.get("Encounter?status:in=http://hl7.org/fhir/ValueSet/other").await;
    assert_eq!(refused.refusal().0, 400);
    let patients = all(&server, "Patient").await;
    let mut typed = 0;
    for patient in &patients {
        for identifier in patient["identifier"].as_array().unwrap() {
            let Some(coding) = identifier["type"]["coding"].get(0) else { continue };
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (system, code) = (text(&coding["system"]), text(&coding["code"]));
            let value = text(&identifier["value"]);
            let query = format!("Patient?identifier:of-type={system}|{code}|{value}");
            let id = text(&patient["id"]);
            assert_eq!(found(&server, &query).await, BTreeSet::from([id]), "{query}");
            let other = format!("Patient?identifier:of-type={system}|XX|{value}");
            assert_eq!(found(&server, &other).await, BTreeSet::new(), "{other}");
            typed += 1;
        }
    }
    assert!(typed > 0);
}

/// A version of a canonical URL counts only where the caller gives one.
#[tokio::test]
async fn a_canonical_url_is_found_with_its_version_and_without() {
    let server = serve();
    let responses = all(&server, "QuestionnaireResponse").await;
    for response in &responses {
        let canonical = response["questionnaire"].as_str().unwrap();
        let plain = canonical.split('|').next().unwrap();
        let id = response["id"].as_str().unwrap();
        let by_plain =
            found(&server, &format!("QuestionnaireResponse?questionnaire={plain}")).await;
        assert!(by_plain.contains(id), "{plain}");
        let other = format!("QuestionnaireResponse?questionnaire={plain}|other");
        assert_eq!(found(&server, &other).await, BTreeSet::new());
        if canonical != plain {
            let exact = format!("QuestionnaireResponse?questionnaire={}", encoded(canonical));
            assert!(found(&server, &exact).await.contains(id), "{canonical}");
        }
    }
    assert!(!texts(&responses[0], "questionnaire").is_empty());
}
