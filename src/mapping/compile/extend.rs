//! Groups that extend others: the other's rules come first, on the variables of the same names.

use super::{Bound, Compiler, Frame};
use crate::mapping::fml::{self, Name, Pick};
use crate::mapping::plan::Rule;

impl Compiler<'_, '_> {
    /// The call of the group that a group extends, if it does.
    pub(super) fn extended(&mut self, group: &fml::Group, frame: &Frame) -> Option<Rule> {
        let base = group.extends.as_ref()?;
        if self.is_circular(group) {
            let message = format!("`{}` extends itself", group.name.text);
            self.error("MAP107", &base.span, message);
            return None;
        }
        let context = group.params.iter().find_map(|param| match frame.get(&param.name.text) {
            Some(Bound::Source { slot, .. }) => Some(slot),
            _ => None,
        });
        let Some(context) = context else {
            self.error("MAP107", &base.span, "a group that extends another needs a source");
            return None;
        };
        let params = self.find_group(&base.text).and_then(|(file, group)| {
            self.library.files.get(file)?.groups.get(group).map(|group| &group.params)
        });
        let named =
            |param: &fml::Param| Name { text: param.name.text.clone(), span: base.span.clone() };
        let arguments = params.into_iter().flatten().map(named).collect();
        let call = self.call(&fml::Call { group: base.clone(), arguments }, frame)?;
        let place = self.places.len();
        self.places.push(self.place(&base.span).file_line());
        Some(Rule {
            place,
            context,
            field: None,
            pick: Pick::All,
            bind: None,
            default: None,
            condition: None,
            check: None,
            actions: Vec::new(),
            calls: vec![call],
            rules: Vec::new(),
        })
    }

    /// Whether a group of the current file extends itself, over however many others.
    fn is_circular(&mut self, group: &fml::Group) -> bool {
        let here = self.file;
        let mut seen = Vec::new();
        let mut next = group.extends.as_ref();
        let mut is_circular = false;
        while let Some((file, index)) = next.and_then(|name| self.find_group(&name.text)) {
            let found = self.library.files.get(file).and_then(|file| file.groups.get(index));
            let is_start = found.is_some_and(|found| std::ptr::eq(found, group));
            is_circular = is_start || seen.contains(&(file, index));
            if is_circular {
                break;
            }
            seen.push((file, index));
            next = found.and_then(|found| found.extends.as_ref());
            self.file = file;
        }
        self.file = here;
        is_circular
    }
}
