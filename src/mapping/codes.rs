//! Code tables: FHIR R4 `ConceptMap`s, read into one look-up per map.
//! <https://hl7.org/fhir/R4/conceptmap.html>

use std::collections::BTreeMap;

use serde_json::Value;

/// A code of a table's target side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The code system's URI, if the table names one.
    pub system: Option<String>,
    /// The code.
    pub code: String,
    /// The display text, if the table has one.
    pub display: Option<String>,
    /// `{"system":…,"code":…,"display":…}`, ready to be written.
    pub coding: Box<str>,
    /// The code as a JSON string, ready to be written.
    pub json: Box<str>,
}

impl Target {
    fn new(system: Option<&str>, code: &str, display: Option<&str>) -> Self {
        let json = |text: &str| Value::from(text).to_string();
        let member = |name: &str, text: &str| format!("\"{name}\":{}", json(text));
        let members = [
            system.map(|system| member("system", system)),
            Some(member("code", code)),
            display.map(|display| member("display", display)),
        ];
        let members: Vec<String> = members.into_iter().flatten().collect();
        let coding = format!("{{{}}}", members.join(","));
        Self {
            system: system.map(str::to_owned),
            code: code.to_owned(),
            display: display.map(str::to_owned),
            coding: coding.into(),
            json: json(code).into(),
        }
    }
}

/// What a table says about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The one usable target.
    To(Target),
    /// The table says that there is none.
    Unmatched,
}

/// What becomes of a code that has no entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Unmapped {
    /// It is not carried over.
    #[default]
    Dropped,
    /// It becomes this code.
    Fixed(Target),
    /// It is kept as it is, in this system.
    Provided(Option<String>),
}

/// One ConceptMap.
#[derive(Debug, Clone)]
pub struct CodeTable {
    /// The canonical URL.
    pub url: String,
    /// The file, relative to the map set's folder.
    pub file: String,
    /// The ConceptMap as read.
    pub definition: Value,
    /// What becomes of each code.
    pub entries: BTreeMap<Box<str>, Entry>,
    /// What becomes of other codes.
    pub unmapped: Unmapped,
}

/// R4 equivalences with which a code may be carried over: the target says the same or less.
const USABLE: &[&str] = &["relatedto", "equivalent", "equal", "wider", "subsumes", "inexact"];

impl CodeTable {
    /// Reads a ConceptMap; answers everything that is wrong with it.
    pub fn read(file: &str, definition: Value) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if definition.get("resourceType").and_then(Value::as_str) != Some("ConceptMap") {
            wrong.push("not a ConceptMap".to_owned());
        }
        let url = text(&definition, "url").unwrap_or_default();
        let stem = file.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
        if url.rsplit('/').next() != stem {
            wrong.push(format!("the last segment of the url `{url}` is not the file's name"));
        }
        let mut table = Self {
            url,
            file: file.to_owned(),
            definition: Value::Null,
            entries: BTreeMap::new(),
            unmapped: Unmapped::default(),
        };
        let groups = definition.get("group").and_then(Value::as_array);
        for group in groups.into_iter().flatten() {
            let system = text(group, "target");
            for element in group.get("element").and_then(Value::as_array).into_iter().flatten() {
                table.element(element, system.as_deref(), &mut wrong);
            }
            if let Some(unmapped) = group.get("unmapped") {
                match read_unmapped(unmapped, system) {
                    Ok(unmapped) => table.unmapped = unmapped,
                    Err(message) => wrong.push(message),
                }
            }
        }
        table.definition = definition;
        if wrong.is_empty() { Ok(table) } else { Err(wrong) }
    }

    fn element(&mut self, element: &Value, system: Option<&str>, wrong: &mut Vec<String>) {
        let Some(code) = element.get("code").and_then(Value::as_str) else {
            return wrong.push("an element has no code".to_owned());
        };
        let targets = element.get("target").and_then(Value::as_array).into_iter().flatten();
        let usable: Vec<Target> = targets
            .filter(|t| {
                t.get("equivalence").and_then(Value::as_str).is_none_or(|e| USABLE.contains(&e))
            })
            .filter_map(|t| {
                let display = t.get("display").and_then(Value::as_str);
                Some(Target::new(system, t.get("code")?.as_str()?, display))
            })
            .collect();
        let entry = match usable.as_slice() {
            [] => Entry::Unmatched,
            [target] => Entry::To(target.clone()),
            _ => {
                return wrong
                    .push(format!("`{code}` has {} usable targets; keep one", usable.len()));
            }
        };
        if self.entries.insert(code.into(), entry).is_some() {
            wrong.push(format!("`{code}` has more than one entry; keep one"));
        }
    }

    /// Everything that the table can give, each once.
    pub fn targets(&self) -> Vec<&Target> {
        let fixed = match &self.unmapped {
            Unmapped::Fixed(target) => Some(target),
            Unmapped::Dropped | Unmapped::Provided(_) => None,
        };
        let listed = self.entries.values().filter_map(|entry| match entry {
            Entry::To(target) => Some(target),
            Entry::Unmatched => None,
        });
        let mut targets: Vec<&Target> = Vec::new();
        for target in listed.chain(fixed) {
            let same = |known: &&Target| known.system == target.system && known.code == target.code;
            if !targets.iter().any(same) {
                targets.push(target);
            }
        }
        targets
    }

    /// What becomes of a code; `None` where it is not carried over.
    pub fn get(&self, code: &str) -> Option<&Entry> {
        self.entries.get(code)
    }
}

fn read_unmapped(unmapped: &Value, system: Option<String>) -> Result<Unmapped, String> {
    let text = |key: &str| unmapped.get(key).and_then(Value::as_str);
    match text("mode") {
        Some("provided") => Ok(Unmapped::Provided(system)),
        Some("fixed") => text("code")
            .map(|code| Unmapped::Fixed(Target::new(system.as_deref(), code, text("display"))))
            .ok_or_else(|| "`unmapped` of mode `fixed` needs a `code`".to_owned()),
        other => Err(format!(
            "`unmapped` of mode `{}` is not supported; use `fixed` or `provided`",
            other.unwrap_or_default()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(element: &Value) -> Result<CodeTable, Vec<String>> {
        let map = json!({"resourceType": "ConceptMap", "url": "https://x.example/ConceptMap/a",
            "group": [{"target": "http://s.example", "element": element}]});
        CodeTable::read("codes/a.json", map)
    }

    #[test]
    fn a_code_has_one_usable_target_or_none() {
        let table = read(&json!([
            {"code": "x", "target": [{"code": "y", "display": "Y", "equivalence": "equivalent"}]},
            {"code": "n", "target": [{"code": "y", "equivalence": "narrower"}]}]))
        .unwrap();
        let Some(Entry::To(target)) = table.get("x") else { panic!() };
        assert_eq!(&*target.coding, r#"{"system":"http://s.example","code":"y","display":"Y"}"#);
        assert_eq!(table.get("n"), Some(&Entry::Unmatched));
        assert_eq!(table.get("z"), None);
    }

    #[test]
    fn two_usable_targets_or_two_entries_are_refused() {
        let two = json!([{"code": "x", "target": [{"code": "y"}, {"code": "z"}]}]);
        assert_eq!(read(&two).unwrap_err().len(), 1);
        let twice = json!([{"code": "x", "target": [{"code": "y"}]}, {"code": "x"}]);
        assert_eq!(read(&twice).unwrap_err().len(), 1);
    }
}
