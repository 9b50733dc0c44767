//! A resource without what somebody may not see of it: references that lead to what is withheld,
//! elements beyond the least that serves a purpose, and names that somebody goes by no longer.
//!
//! What is left is copied in its order, so that nobody can tell it from a resource that never had
//! the rest; and its version is named by what is left, so that a change of the rest makes no other.

use aws_lc_rs::digest::{SHA256, digest};
use memchr::memmem;

use super::raw::{Items, Members, string};

/// Says that a resource is not whole
/// (<http://terminology.hl7.org/CodeSystem/v3-ObservationValue>).
const SUBSETTED: &[u8] = br#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"subsetted"}"#;
/// What names a version in a reference.
const HISTORY: &str = "/_history/";
/// The use of a name that somebody goes by no longer (<http://hl7.org/fhir/name-use>).
const FORMER: &[u8] = br#""old""#;

/// Members that an item of a list is about: without them what is left of the item would tell that
/// there was something, and R4 requires most of them.
const POINTS: [&[u8]; 11] = [
    b"actor",
    b"condition",
    b"individual",
    b"item",
    b"member",
    b"other",
    b"reference",
    b"target",
    b"valueReference",
    b"what",
    b"who",
];

/// The references in a resource, and the links of its attachments to files of this server, as `Type/id`
/// without a version; each as often as it is named.
///
/// The text is looked through from its start to its end, since a resource is asked each time that it
/// is shown. What is no member of that name is told apart where something is taken out.
pub fn references(body: &[u8]) -> impl Iterator<Item = &str> {
    let all = |name: &'static [u8], quoted: &'static [u8]| {
        let value = move |at: usize| {
            let rest = body.get(at + quoted.len()..)?.trim_ascii_start();
            let rest = rest.strip_prefix(b":")?.trim_ascii_start();
            named(name, rest.get(..string(rest)?)?)
        };
        memmem::find_iter(body, quoted).filter_map(value)
    };
    all(b"reference", br#""reference""#).chain(all(b"url", br#""url""#))
}

/// Whether a resource names versions of others.
pub fn names_versions(body: &[u8]) -> bool {
    memmem::find(body, HISTORY.as_bytes()).is_some()
}

/// Whether a resource has names that somebody goes by no longer.
pub fn has_former_names(body: &[u8]) -> bool {
    memmem::find(body, FORMER).is_some()
        && Members::of(body).find(b"name").is_some_and(|names| Items::of(names).any(is_former))
}

fn is_former(name: &[u8]) -> bool {
    Members::of(name).find(b"use") == Some(FORMER)
}

/// What a member names, if it is a reference or the link of an attachment.
fn named<'a>(name: &[u8], value: &'a [u8]) -> Option<&'a str> {
    match name {
        b"reference" => reference(value),
        b"url" => reference(value).filter(|link| link.starts_with("Binary/")),
        _ => None,
    }
}

/// How many of the members that it is about an item has.
fn points(item: &[u8]) -> usize {
    if !item.starts_with(b"{") {
        return 0;
    }
    let is_point = |name: &[u8], value: &[u8]| POINTS.contains(&name) && value.starts_with(b"{");
    Members::of(item).filter(|member| is_point(member.name, member.value)).count()
}

/// A reference by type and id; an escape is in none of ours.
fn reference(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.strip_prefix('"')?.strip_suffix('"')?;
    let (whole, _) = text.split_once(HISTORY).unwrap_or((text, ""));
    let (name, id) = whole.split_once('/')?;
    (name.starts_with(|c: char| c.is_ascii_uppercase()) && !id.contains('/')).then_some(whole)
}

/// What is left of a resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Its version, named by them.
    pub version_id: String,
}

/// Takes out the references that are not kept, and what is empty without them, and names that somebody
/// goes by no longer. Of `elements`, if they are given, the resource keeps no others, and loses what
/// tells of changes to them.
pub fn prune(
    body: &[u8],
    version_id: &str,
    keeps: &dyn Fn(&str) -> bool,
    elements: Option<&[&str]>,
) -> Pruned {
    let mut pruning = Pruning { out: Vec::with_capacity(body.len()), keeps };
    let at = pruning.resource(body, elements);
    let mut body = pruning.out;
    let hash = hex::encode(digest(&SHA256, &body));
    let number = if elements.is_some() { "0" } else { version_id.split('-').next().unwrap_or("0") };
    let version_id = format!("{number}-{}", hash.get(..8).unwrap_or_default());
    if let Some(at) = at {
        let comma = if body.get(at) == Some(&b'}') { "" } else { "," };
        let member = format!(r#""versionId":"{version_id}"{comma}"#);
        body.splice(at..at, member.into_bytes());
    }
    Pruned { body, version_id }
}

struct Pruning<'a> {
    out: Vec<u8>,
    keeps: &'a dyn Fn(&str) -> bool,
}

impl Pruning<'_> {
    /// Copies a resource; answers where the members of its `meta` begin.
    fn resource(&mut self, body: &[u8], elements: Option<&[&str]>) -> Option<usize> {
        let mut meta = None;
        self.out.push(b'{');
        for member in Members::of(body) {
            if member.name == b"meta" {
                meta = Some(self.meta(member.value, elements.is_some()));
                continue;
            }
            let name = member.name.strip_prefix(b"_").unwrap_or(member.name);
            let is_kept = |elements: &[&str]| elements.iter().any(|kept| kept.as_bytes() == name);
            if matches!(name, b"resourceType" | b"id") || elements.is_none_or(is_kept) {
                if member.name == b"name" && Items::of(member.value).any(is_former) {
                    self.names(member.value);
                } else {
                    self.member(member.text, member.value);
                }
            }
        }
        self.out.push(b'}');
        meta
    }

    /// Copies the names that are in use.
    fn names(&mut self, names: &[u8]) {
        let used = Items::of(names).filter(|name| !is_former(name));
        for (number, name) in used.enumerate() {
            if number == 0 {
                self.comma();
                self.out.extend_from_slice(br#""name":["#);
            }
            self.comma();
            self.value(name);
        }
        if Items::of(names).any(|name| !is_former(name)) {
            self.out.push(b']');
        }
    }

    /// Copies `meta` without the version, and without its time where the resource is not whole.
    fn meta(&mut self, meta: &[u8], is_part: bool) -> usize {
        self.comma();
        self.out.extend_from_slice(br#""meta":{"#);
        let at = self.out.len();
        for member in Members::of(meta) {
            let is_left_out = match member.name {
                b"versionId" => true,
                b"lastUpdated" | b"tag" => is_part,
                _ => false,
            };
            if !is_left_out {
                self.comma();
                self.out.extend_from_slice(member.text);
            }
        }
        if is_part {
            self.comma();
            self.out.extend_from_slice(br#""tag":["#);
            for tag in Items::of(Members::of(meta).find(b"tag").unwrap_or_default()) {
                self.comma();
                self.out.extend_from_slice(tag);
            }
            self.comma();
            self.out.extend_from_slice(SUBSETTED);
            self.out.push(b']');
        }
        self.out.push(b'}');
        at
    }

    /// Copies a member, unless nothing is left of it.
    fn member(&mut self, text: &[u8], value: &[u8]) -> bool {
        let before = self.out.len();
        self.comma();
        let label = text.len().saturating_sub(value.len());
        self.out.extend_from_slice(text.get(..label).unwrap_or_default());
        let is_left = self.value(value);
        if !is_left {
            self.out.truncate(before);
        }
        is_left
    }

    /// Copies a value; whether anything is left of it.
    fn value(&mut self, value: &[u8]) -> bool {
        match value.first() {
            Some(b'{') => self.object(value),
            Some(b'[') => self.array(value),
            _ => {
                self.out.extend_from_slice(value);
                true
            }
        }
    }

    fn object(&mut self, value: &[u8]) -> bool {
        if Members::of(value).any(|member| {
            named(member.name, member.value).is_some_and(|known| !(self.keeps)(known))
        }) {
            return false;
        }
        let (mut had, mut left) = (false, false);
        self.out.push(b'{');
        for member in Members::of(value) {
            had = true;
            match reference(member.value).filter(|_| member.name == b"reference") {
                Some(known) => {
                    self.comma();
                    self.out.extend_from_slice(format!(r#""reference":"{known}""#).as_bytes());
                    left = true;
                }
                None => left |= self.member(member.text, member.value),
            }
        }
        self.out.push(b'}');
        left || !had
    }

    fn array(&mut self, value: &[u8]) -> bool {
        let (mut had, mut left) = (false, false);
        self.out.push(b'[');
        for item in Items::of(value) {
            had = true;
            let before = self.out.len();
            self.comma();
            let start = self.out.len();
            if self.value(item) && points(self.out.get(start..).unwrap_or_default()) == points(item)
            {
                left = true;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push(b']');
        left || !had
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn named_in(body: &str) -> BTreeSet<&str> {
        references(body.as_bytes()).collect()
    }

    const BODY: &str = concat!(
        r#"{"resourceType":"Encounter","id":"e","meta":{"versionId":"3-0a1b2c3d","lastUpdated":"2026-11-01T17:00:00.000Z","#,
        r#""security":[{"code":"R"}]},"status":"finished","subject":{"reference":"Patient/a"},"#,
        r#""reasonReference":[{"reference":"Condition/x"},{"reference":"Condition/y/_history/1-1"}],"#,
        r#""diagnosis":[{"condition":{"reference":"Condition/x"}}],"partOf":{"reference":"urn:uuid:1"},"contained":[{"id":"1"}]}"#
    );

    fn text(pruned: &Pruned) -> &str {
        std::str::from_utf8(&pruned.body).unwrap()
    }

    #[test]
    fn what_is_withheld_goes_with_what_held_it_and_nothing_else() {
        assert_eq!(named_in(BODY), ["Condition/x", "Condition/y", "Patient/a"].into());
        let pruned = prune(BODY.as_bytes(), "3-0a1b2c3d", &|known| known != "Condition/x", None);
        let version = &pruned.version_id;
        let expected = format!(
            concat!(
                r#"{{"resourceType":"Encounter","id":"e","meta":{{"versionId":"{}","lastUpdated":"2026-11-01T17:00:00.000Z","#,
                r#""security":[{{"code":"R"}}]}},"status":"finished","subject":{{"reference":"Patient/a"}},"#,
                r#""reasonReference":[{{"reference":"Condition/y"}}],"partOf":{{"reference":"urn:uuid:1"}},"contained":[{{"id":"1"}}]}}"#
            ),
            version
        );
        assert_eq!(text(&pruned), expected);
        assert!(version.starts_with("3-") && version.len() == "3-0a1b2c3d".len());
    }

    #[test]
    fn an_item_goes_with_what_it_is_about() {
        let body = concat!(
            r#"{"resourceType":"Patient","link":[{"other":{"reference":"Patient/x"},"type":"replaces"}],"#,
            r#""agent":[{"type":{"text":"author"},"who":{"reference":"Patient/x"}},{"type":{"text":"assembler"},"who":{"display":"us"}}],"#,
            r#""payload":[{"contentString":"see there"},{"contentAttachment":{"url":"Binary/x","title":"diary.pdf","size":9}}],"#,
            r#""note":[{"authorReference":{"reference":"Patient/x"},"text":"kept"}]}"#
        );
        assert_eq!(named_in(body), ["Binary/x", "Patient/x"].into());
        let pruned = prune(body.as_bytes(), "3-0a1b2c3d", &|_| false, None);
        let expected = concat!(
            r#"{"resourceType":"Patient","agent":[{"type":{"text":"assembler"},"who":{"display":"us"}}],"#,
            r#""payload":[{"contentString":"see there"}],"note":[{"text":"kept"}]}"#
        );
        assert_eq!(text(&pruned), expected);
    }

    #[test]
    fn a_reference_is_found_however_it_is_written() {
        for (body, expected) in [
            (r#"{"a":[{"b":{"reference" :  "Patient/x" }}]}"#, Some("Patient/x")),
            (r#"{"reference":"Patient/x/_history/2-1"}"#, Some("Patient/x")),
            (r#"{"text":"\"reference\":\"Patient/x\"","reference":"Goal/y"}"#, Some("Goal/y")),
            (r#"{"code":"reference","url":"Binary/x"}"#, Some("Binary/x")),
            (r#"{"url":"http://h/Binary/x"}"#, None),
            (r#"{"reference":"Patient/x"#, None),
            (r#"{"reference"#, None),
        ] {
            assert_eq!(references(body.as_bytes()).next(), expected, "{body}");
        }
    }

    #[test]
    fn a_part_has_a_version_of_its_own_that_the_rest_does_not_change() {
        let part = |body: &str, version: &str| {
            prune(body.as_bytes(), version, &|_| true, Some(&["status"]))
        };
        let first = part(BODY, "3-0a1b2c3d");
        let expected = format!(
            r#"{{"resourceType":"Encounter","id":"e","meta":{{"versionId":"{}","security":[{{"code":"R"}}],"tag":[{}]}},"status":"finished"}}"#,
            first.version_id,
            std::str::from_utf8(SUBSETTED).unwrap()
        );
        assert_eq!(text(&first), expected);
        let later = BODY.replace("2026-11-01", "2026-11-02").replace("Condition/x", "Condition/z");
        assert_eq!(part(&later, "4-99999999"), first);
        let other = part(&BODY.replace("finished", "cancelled"), "4-99999999");
        assert_ne!(other.version_id, first.version_id);
    }

    #[test]
    fn a_name_that_is_used_no_longer_leaves_nothing_behind() {
        let body = |names: &str| {
            format!(
                r#"{{"resourceType":"Patient","id":"p","meta":{{"versionId":"3-0a1b2c3d"}},{names}"address":[{{"use":"old"}}]}}"#
            )
        };
        let (old, used) =
            (r#"{"use":"old","family":"Bloom"}"#, r#"{"use":"official","family":"Reed"}"#);
        let left = |names: &str| prune(body(names).as_bytes(), "3-0a1b2c3d", &|_| true, None);
        let never = left(&format!(r#""name":[{used}],"#));
        for names in
            [format!("[{old},{used}]"), format!("[{used},{old}]"), format!("[{old},{used},{old}]")]
        {
            let whole = body(&format!(r#""name":{names},"#));
            assert!(has_former_names(whole.as_bytes()));
            assert_eq!(left(&format!(r#""name":{names},"#)), never, "{names}");
        }
        assert_eq!(left(&format!(r#""name":[{old}],"#)), left(""));
        assert!(!has_former_names(body(&format!(r#""name":[{used}],"#)).as_bytes()));
        assert!(text(&never).contains(r#""address":[{"use":"old"}]"#));
    }

    #[test]
    fn what_is_kept_is_kept_byte_by_byte() {
        let pruned = prune(BODY.as_bytes(), "3-0a1b2c3d", &|_| true, None);
        let unversioned = BODY.replace("/_history/1-1", "");
        assert_eq!(text(&pruned), unversioned.replace("3-0a1b2c3d", &pruned.version_id));
        assert!(names_versions(BODY.as_bytes()) && !names_versions(unversioned.as_bytes()));
    }
}
