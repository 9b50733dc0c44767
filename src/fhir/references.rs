//! References that lead nowhere, taken out of a resource that leaves with only some of the others.
//!
//! In a document every reference is resolved within it
//! (<https://hl7.org/fhir/R4/documents.html#content>). Members are copied from the stored text or
//! left out; what cannot be without what was left out goes with it.

use std::borrow::Cow;

use super::r4::{Content, Elements, TypeId};
use super::raw::{Items, Member, Members};

/// The resource with only those references for which `keep` is true of `Type/id`; `None` where it
/// cannot be without one of the others.
///
/// A reference that is not kept leaves what it says beside, such as the name of whom it was to.
pub fn within<'a>(
    table: &Elements,
    resource_type: &str,
    body: &'a [u8],
    keep: &dyn Fn(&str) -> bool,
) -> Option<Cow<'a, [u8]>> {
    if !leads_out(body, keep) {
        return Some(Cow::Borrowed(body));
    }
    let mut copy = Copy { table, keep, out: Vec::with_capacity(body.len()) };
    copy.object(table.find(resource_type), body).then_some(Cow::Owned(copy.out))
}

/// Whether any reference is not kept.
fn leads_out(text: &[u8], keep: &dyn Fn(&str) -> bool) -> bool {
    match text.first() {
        Some(b'{') => Members::of(text).any(|member| {
            (is_reference(&member) && !is_kept(member.value, keep)) || leads_out(member.value, keep)
        }),
        Some(b'[') => Items::of(text).any(|item| leads_out(item, keep)),
        _ => false,
    }
}

fn is_reference(member: &Member<'_>) -> bool {
    member.name == b"reference" && member.value.starts_with(b"\"")
}

fn is_kept(quoted: &[u8], keep: &dyn Fn(&str) -> bool) -> bool {
    let text = serde_json::from_slice::<Cow<'_, str>>(quoted).unwrap_or_default();
    // A version of a resource stands for the resource, and a fragment is within.
    let target = text.split("/_history/").next().unwrap_or_default();
    target.starts_with('#') || keep(target)
}

struct Copy<'k> {
    table: &'k Elements,
    keep: &'k dyn Fn(&str) -> bool,
    out: Vec<u8>,
}

impl Copy<'_> {
    /// Copies a value; false where nothing of it is left, or not what it cannot be without.
    fn value(&mut self, known: Option<TypeId>, text: &[u8]) -> bool {
        match text.first() {
            Some(b'{') => self.object(known, text),
            Some(b'[') => self.list(known, text),
            _ => {
                self.out.extend_from_slice(text);
                true
            }
        }
    }

    fn list(&mut self, known: Option<TypeId>, text: &[u8]) -> bool {
        self.out.push(b'[');
        let mut any = false;
        for item in Items::of(text) {
            let before = self.out.len();
            if any {
                self.out.push(b',');
            }
            if self.value(known, item) {
                any = true;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push(b']');
        any
    }

    fn object(&mut self, known: Option<TypeId>, text: &[u8]) -> bool {
        self.out.push(b'{');
        let mut any = false;
        for member in Members::of(text) {
            if is_reference(&member) && !is_kept(member.value, self.keep) {
                continue;
            }
            let (content, required) = self.slot(known, member.name);
            let before = self.out.len();
            if any {
                self.out.push(b',');
            }
            let label = member.text.len().saturating_sub(member.value.len());
            self.out.extend_from_slice(member.text.get(..label).unwrap_or_default());
            if self.value(content, member.value) {
                // The type of what a reference was to is nothing by itself.
                any |= member.name != b"type" || !text_is_reference(text);
            } else if required {
                return false;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push(b'}');
        any
    }

    /// What a member holds, and whether its owner has to have one.
    fn slot(&self, known: Option<TypeId>, name: &[u8]) -> (Option<TypeId>, bool) {
        let owner = known.and_then(|id| self.table.get(id));
        let slot = std::str::from_utf8(name).ok().and_then(|name| owner?.slot(name));
        let element = slot.and_then(|slot| owner?.elements.get(slot.element));
        let content = match slot.map(|slot| slot.content) {
            Some(Content::Object(id)) => Some(id),
            _ => None,
        };
        (content, element.is_some_and(|element| element.required))
    }
}

/// Whether an object is a reference.
fn text_is_reference(text: &[u8]) -> bool {
    Members::of(text).any(|member| is_reference(&member))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within_of(kind: &str, body: &str) -> Option<String> {
        let keep = |target: &str| target == "Patient/a" || target == "Goal/g";
        let kept = within(&Elements::new(), kind, body.as_bytes(), &keep)?;
        Some(String::from_utf8(kept.into_owned()).unwrap())
    }

    #[test]
    fn what_leads_out_is_left_out_and_the_rest_stays_to_the_byte() {
        for (body, expected) in [
            (
                r#"{"resourceType":"CarePlan", "subject" : {"reference":"Patient/a"},"goal":[{"reference":"Goal/g"}]}"#,
                r#"{"resourceType":"CarePlan", "subject" : {"reference":"Patient/a"},"goal":[{"reference":"Goal/g"}]}"#,
            ),
            (
                r#"{"resourceType":"CarePlan","goal":[{"reference":"Goal/x"},{"reference":"Goal/g"}],"subject":{"reference":"Patient/a/_history/1"}}"#,
                r#"{"resourceType":"CarePlan","goal":[{"reference":"Goal/g"}],"subject":{"reference":"Patient/a/_history/1"}}"#,
            ),
            (
                r#"{"resourceType":"CarePlan","goal":[{"reference":"Goal/x","type":"Goal"}],"author":{"reference":"Practitioner/p","display":"Dr. P"}}"#,
                r#"{"resourceType":"CarePlan","author":{"display":"Dr. P"}}"#,
            ),
        ] {
            assert_eq!(within_of("CarePlan", body).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_cannot_be_without_a_reference_goes_with_it() {
        let link = r#"{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/b"},"type":"seealso"}]}"#;
        let expected = r#"{"resourceType":"Patient","id":"a"}"#;
        assert_eq!(within_of("Patient", link).as_deref(), Some(expected));
        let goal = r#"{"resourceType":"Goal","id":"x","subject":{"reference":"Patient/b"}}"#;
        assert_eq!(within_of("Goal", goal), None);
    }
}
